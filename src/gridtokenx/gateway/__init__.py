"""The gateway: the way in. A process of its own beside the node; pages never wait for a block in the making.

- `documents`     what travels by HTTP, `stream_documents` what travels by WebSocket, all of it JSON; `codes` and
                  `problems`: how it says no, `sentences`: in the words of people, English and Thai.
- `readmodel`     what pages ask for, in memory, made of committed blocks; its parts are `facts` (what a block says),
                  `depth` (books without names), `memory` (orders that are gone), `statements`, `community` (sums).
- `core`          follows the node, and asks it what only the node knows.
- `public`, `transactions`, `personal`   the routes; `web` reads requests and writes answers, `views` fills documents.
- `overview`, `explorer`, `billing`   further routes, with `page_documents`: the community's sums and savings, terms,
                  search, one's own bill (`bills`: its arithmetic; `local_time`: days as people write them).
- `authorities`   with `authority_documents`: who runs the chain, proposals, how the chain served.
- `page`          the page's files at `/`; `faucet`: the way to a development market's faucet, which is elsewhere.
- `sessions`      challenges signed by an account's keys, and the short sessions that follow.
- `hub`, `feeds`, `stream`   the WebSocket: topics with sequence numbers, resume, and what a block means for each.
- `guard`         what holds for every request and answer; with `entrance` (which hosts, behind which proxies) and
                  `limits` (how much one caller may ask for).
- `app`, `server`, `metrics`   the application, the process, what operators watch; `openapi`: its description,
                  `explanations`: what its codes mean.

What it tells everybody has no names in it; what concerns an account it tells only to whoever signs with its keys.
"""
