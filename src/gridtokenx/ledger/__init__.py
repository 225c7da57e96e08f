"""The kernel: bytes in, a new state and its root out. It knows no market.

Read it in this order: `quantities` and `limits` (units and bounds), `codec` and `crypto` (bytes and
signatures), `state` (typed tables with an undo journal), `schedule` (work that falls due),
`transaction` (one transaction), `batch` (many, signed by a node), `block` (the entry: `apply_block`),
`commitment` (the Merkle tree), `genesis` (state in and out), `module` (how a chain names its rules).

Everything here is deterministic: integers only, no clock, no randomness, no input or output.
"""
