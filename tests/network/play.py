"""Plays network files: a network, and scenarios that are done to it one after another.

    validators = 4
    blocks = "fast"

    [[scenario]]
    name = "a killed node"
    steps = ["kill 2", "blocks 5 by 1,3,4", "start 2"]

After each scenario everything is checked (`checks`). `python -m tests.network.play FILE` plays one by hand.

Nodes are named as 1,2,3. Steps:

    kill 2 · pause 2 · resume 2 · stop 2 · start 2 · restart 2
    part 1,2/3,4 · silence 1,2/3,4 · heal
    blocks 5 by 1,3,4       each of them makes so many blocks more
    halt 4 by 1,2           none of them makes a block for so many seconds
    stops 3 saying WORDS    it ends by itself, with these words
    mute 3 · unmute 3       no orders through this node
    swap 3 PROGRAM          stopped, and started as this program of the tests
    fill 3 20000            its files can grow by so many bytes
    forget 3                all that it knew of the chain is deleted
    join 5                  it starts for the first time, by state sync
    trade 1,2               a pair of orders through each for the interval whose gate comes first
    gate                    wait for that gate
    voided 3                node 3 has void trades
    pause for 10            only where time itself is what is tested
"""
