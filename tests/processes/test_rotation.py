"""The ledger follows a real CometBFT: for hundreds of blocks, with validators that come, go, change and fall silent,
it says who votes, with which priorities, and who had the turn in each round."""

import base64
from itertools import islice
from pathlib import Path
from typing import Any

from tests.processes.comet_chain import CometNet, comet_net
from tests.world import NODE_ID, Founding, World

from gridtokenx.ledger.rotation import Rotation, rotation_of, turns
from gridtokenx.ledger.validator import LastCommit, address_of
from gridtokenx.modules.authority.messages import SetValidator

BLOCKS = 200
ABSENT = 1

Changes = dict[int, SetValidator]
"""By the height of the block that says so."""


def lively(net: CometNet) -> Changes:
    """All that can happen among four validators and one that joins; the last of the four is killed on the way."""
    keys = [base64.b64decode(key) for key in net.public_keys()]
    first, changes = net.nodes[0], {}

    def set_power(number: int, power: int) -> None:
        height = first.set_validator(base64.b64encode(keys[number]).decode(), power)
        changes[height] = SetValidator(keys[number], power, NODE_ID)

    set_power(0, 100)
    set_power(1, 30)
    set_power(4, 27)
    set_power(2, 0)
    set_power(3, 29)
    assert net.nodes[3].process is not None
    net.nodes[3].process.kill()
    set_power(2, 1)
    set_power(1, 70)
    set_power(4, 0)
    first.wait_height(max(changes) + 40)
    set_power(4, 5)
    set_power(3, 0)
    set_power(0, 2)
    set_power(1, 3)
    first.wait_height(max(max(changes) + 20, BLOCKS))
    return changes


def told(net: CometNet, height: int) -> tuple[dict[bytes, tuple[int, int]], bytes, int, set[bytes]]:
    """What CometBFT says of a height: power and priority of each, the proposer, the round, and who was absent."""
    node = net.nodes[0]
    voters = node.ask("validators", height=str(height), per_page="100")["validators"]
    signed = node.ask("commit", height=str(height))["signed_header"]
    order = [bytes.fromhex(each["address"]) for each in voters]
    said = {
        address: (int(each["voting_power"]), int(each["proposer_priority"]))
        for address, each in zip(order, voters, strict=True)
    }
    votes: list[Any] = signed["commit"]["signatures"]
    absent = {address for address, vote in zip(order, votes, strict=True) if vote["block_id_flag"] == ABSENT}
    proposer = bytes.fromhex(signed["header"]["proposer_address"])
    return said, proposer, int(signed["commit"]["round"]), absent


def founded(net: CometNet) -> World:
    """A chain of ours with the same four at its beginning."""
    founding = Founding()
    founding.builder.set_consensus(1_000)
    for key in net.public_keys()[:4]:
        founding.builder.add_validator(base64.b64decode(key), 1, NODE_ID)
    return founding.start()


def kept(world: World) -> Rotation:
    rotation = rotation_of(world.state, len(world.blocks))
    assert rotation is not None
    return rotation


def test_it_says_of_each_height_what_cometbft_says(tmp_path: Path) -> None:
    with comet_net(tmp_path / "net", 4, others=1) as net:
        changes = lively(net)
        world, commit, rounds, sets = founded(net), None, set(), set()
        for height in range(1, net.nodes[0].height() - 1):
            change = changes.get(height)
            batches = (world.batch(world.sign("authority", change)),) if change else ()
            world.block(*batches, last_commit=commit)
            said, proposer, round_, absent = told(net, height)
            voters = kept(world).voters
            assert {each.address: (each.power, each.priority) for each in voters.each} == said, height
            *_, decider = islice(turns(voters), round_ + 1)
            assert decider == proposer, height
            commit = LastCommit(round_, tuple(sorted(absent)))
            rounds.add(round_)
            sets.add(frozenset((address, power) for address, (power, _) in said.items()))
    assert len(world.blocks) >= BLOCKS - 2
    assert len(sets) > len(changes) // 2
    assert max(rounds) > 0
    silent = address_of(base64.b64decode(net.public_keys()[3]))
    assert any(block.last_commit and silent in block.last_commit.absent for block in world.blocks)
