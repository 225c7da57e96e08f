"""GridTokenX: a peer-to-peer energy market on its own ledger.

The rooms, from the ground up; imports go down only:

- `ledger`      the kernel: state, transactions, batches, blocks, the Merkle commitment. Knows no market.
- `modules`     what the chain can do: tokens, identity, market, settlement. Three files each.
- `chains`      which modules make a chain, in which order, from which genesis.
- `engine`      takes transactions, journals them, makes blocks of them, one after the other.
- `gateway`     the way in: REST, WebSocket, health and metrics.
- `simulation`  communities of real meters, the agents that trade for them, the auditor.
- `operations`  configuration, metrics, what a running machine needs.
- `client`      signs and sends; what a program outside uses.
- `cli`         the `gridtokenx` command, one file per group of commands.

`docs/architecture.md` explains the picture, `docs/walk.md` follows one order through it.
"""

__version__ = "0.1.0"
