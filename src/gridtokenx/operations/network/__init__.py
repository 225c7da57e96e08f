"""Networks of many nodes, on one machine or on several.

On one machine: `plan` says what a network is, `founding` makes its folder (`folder`), `ports` and `addresses` say who
listens where, `programs` are its processes, `runner` keeps them and does to them what is asked (`control`), `status`
looks at all nodes. All links lead through the `proxy` (`links`, `relay_tcp`, `relay_udp`), which can cut, silence and
slow them. `signing` signs for a validator and its backups. `bare` is a node without a market. `joining` adds a node
while it runs.

On several: `card` is what a node shows the others, `bundle` the network that is made of cards, `node_folder` a node
before its first start, `machine` one that runs here; `join_file` and `witness` let it join a chain by state sync.
"""
