"""The gateway: the way in. A process of its own beside the node; pages never wait for a block in the making.

- `documents`     what travels by HTTP, `stream_documents` what travels by WebSocket, all of it JSON; `codes` and
                  `problems`: how it says no.
- `readmodel`     what pages ask for, in memory, made of committed blocks; its parts are `facts` (what a block says),
                  `depth` (books without names), `memory` (orders that are gone), `statements`.
- `core`          follows the node, and asks it what only the node knows.
- `public`, `transactions`, `personal`   the routes; `web` reads requests and writes answers, `views` fills documents.
- `sessions`      challenges signed by an account's keys, and the short sessions that follow.
- `hub`, `feeds`, `stream`   the WebSocket: topics with sequence numbers, resume, and what a block means for each.
- `app`, `server`, `metrics`   the application, the process, what operators watch.

What it tells everybody has no names in it; what concerns an account it tells only to whoever signs with its keys.
"""
