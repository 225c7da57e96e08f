"""The engine: makes blocks out of transactions, and loses nothing on the way.

It runs the ledger and knows no market: a chain is named by its import path. One node is one process
(`node`) with verify workers beside it. The way of a transaction:

1. `wire`: it comes over a Unix socket, in a chunk of many (`server` on this side, `link` on the caller's);
2. `intake`: many callers at once; `verifier`: worker processes (`worker`) check bytes and signatures;
3. `mempool`: accounts, nonces and expiry are looked at, good ones are packed into signed batches;
4. `journal`: the batches are on disk before anyone hears "accepted";
5. `solo`: a clock (`clocks`) says when, batches become a block;
6. `application`: the ledger executes it, nothing is written yet;
7. `storage`: block, results, index and state go to RocksDB (`database`) in one write, on an archive all versions too
   (`history`); a `Reader` in another process follows (`follower`);
8. `receipts`: what proves one receipt to a stranger.

`folder` says what lies where on disk, `metrics` times every phase, `faultpoints` lets tests stop a node anywhere.
"""
