"""CometBFT and this application: the same ledger, run by nodes that do not trust each other.

    home.py        what CometBFT finds on its disk: settings, genesis, keys
    launcher.py    the CometBFT process
    server.py      its questions, over a socket (ABCI 2.0), and our answers; wire.py: frames
    engine.py      what the answers do: propose, judge, execute, commit
    proposals.py   which batches may stand in a block
    snapshots      see `engine/snapshots.py`
    light.py       what somebody who runs no node can check for themselves; headers.py: CometBFT's records

Nothing of consensus is written here: CometBFT orders batches, we say which are right and what they do.
"""
