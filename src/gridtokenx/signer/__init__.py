"""The signer: holds a validator's consensus key apart from its nodes, and signs their votes by CometBFT's remote signer
protocol.

    sign_bytes.py   what is signed, byte for byte as CometBFT has it
    guard.py        the one thing that keeps a validator from signing twice: state on the disk, before the answer
    keys.py         a key in a file, or in hardware by PKCS#11
    folder.py       the signer's folder: which keys, which chain
    keyring.py      the present key, and the one before it while a rotation goes on
    lease.py        which of several nodes is served: convenience, not safety
    service.py      requests in, answers out
    server.py       dials the nodes' sockets, answers questions of the operator

A request goes down this list once: lease, checks, guard, key, disk, answer.
"""
