"""A consortium in memory: members with seats, and blocks that say how consensus agreed on the one before."""

from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from ed25519_zebra import ed_sign
from tests.world import HOUR_MS, WATT, Founding, Signer, World, decode_receipt, pseudonym, signer

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.ledger.block import BlockOutcome
from gridtokenx.ledger.codec import Message, Record, encode
from gridtokenx.ledger.header import last_block
from gridtokenx.ledger.rotation import rotation_of
from gridtokenx.ledger.transaction import Receipt
from gridtokenx.ledger.validator import VALIDATORS, LastCommit, Misbehaviour, address_of
from gridtokenx.modules.authority.messages import (
    Act,
    Apply,
    Attest,
    Endorse,
    Group,
    Observed,
    Propose,
    RotatedKey,
    RotateKey,
    Standing,
    Tier,
    Vote,
    signed_application,
    signed_observation,
    signed_rotation,
)
from gridtokenx.modules.authority.state import (
    CHECKPOINTS,
    KEY_OWNERS,
    MEMBERS,
    PROPOSALS,
    Conduct,
    ConsortiumTerms,
    Member,
    Outcome,
    Proposal,
    conduct_of,
    member_of,
    terms_of,
)
from gridtokenx.modules.authority.taxid import check_digit
from gridtokenx.modules.authority.terms import DEFAULT_TERMS
from gridtokenx.modules.identity.messages import Licence, Source

STAKE_MICRO = 1_000 * WATT

TERMS = msgspec.structs.replace(
    DEFAULT_TERMS,
    seats_min=3,
    epoch_blocks=20,
    checkpoint_blocks=5,
    observed_blocks=10,
    endorsements=2,
    stake_micro=STAKE_MICRO,
    vote_ms=HOUR_MS,
    appeal_ms=24 * HOUR_MS,
)
"""Epochs of twenty blocks, a candidate observes for ten."""

SEATED: dict[str, tuple[Group, Tier, int]] = {
    "egat-hq": (Group.GRID, Tier.PRIMARY, 1),
    "mea-hq": (Group.GRID, Tier.PRIMARY, 1),
    "erc": (Group.REGULATION, Tier.PRIMARY, 2),
    "ipp": (Group.TRADE, Tier.SECONDARY, 2),
    "bank-one": (Group.FINANCE, Tier.SECONDARY, 3),
    "techno": (Group.TECHNOLOGY, Tier.TECHNICAL, 3),
    "province": (Group.GRID, Tier.TECHNICAL, 2),
    "sec": (Group.REGULATION, Tier.EMERGENCY, 1),
    "central-bank": (Group.REGULATION, Tier.EMERGENCY, 3),
    "ieat": (Group.GRID, Tier.EMERGENCY, 3),
}
"""Group, tier and zone of each."""


def tax_id(name: str) -> str:
    """Thirteen digits that belong to a name."""
    first = str(int.from_bytes(pseudonym(name), "big") % 10**12).zfill(12)
    return first + str(check_digit(first))


def consensus_key(name: str, generation: int = 0) -> Signer:
    """The key that votes for a member; a later generation replaces it."""
    return signer(f"consensus key {generation} of {name}")


def node_key(name: str, generation: int = 0) -> Signer:
    """The key with which a member's node signs batches."""
    return signer(f"node key {generation} of {name}")


def node_id(name: str, generation: int = 0) -> bytes:
    """The id of a member's node; who comes back needs another."""
    return pseudonym(f"node {generation} of {name}" if generation else f"node of {name}")


def add_members(founding: Founding, terms: ConsortiumTerms, members: dict[str, tuple[Group, Tier, int]]) -> None:
    """A consortium by these terms, whose members have their seats from the start."""
    founding.builder.set_consortium(terms)
    for name, place in members.items():
        found_member(founding, name, *place)


def found_member(founding: Founding, name: str, group: Group, tier: Tier, zone: int) -> None:
    """A member with a seat from the start, and its account of three keys, of which two sign."""
    account = founding.add_account(name, signer(name, 2, 3), 10 * STAKE_MICRO, Licence.NONE)
    member = Member(
        name=f"{name} plc",
        tax_id=tax_id(name),
        group=int(group),
        tier=int(tier),
        zone=zone,
        standing=int(Standing.SEATED),
        since_ms=founding.builder.context.time_ms,
        account=account,
        node=node_id(name),
        consensus_key=consensus_key(name).keys[0],
        documents=(bytes(32),),
        stake_micro=STAKE_MICRO,
        staked_by=account,
        rotated_height=0,
        attested_by=(),
        endorsed_by=(),
    )
    founding.builder.add_member(pseudonym(name), member, node_key(name).keys[0])


def application_of(
    name: str,
    group: int = Group.TRADE,
    tier: int = Tier.SECONDARY,
    generation: int = 0,
    keys: tuple[Signer, Signer] | None = None,
    **more: Any,
) -> Apply:
    """What an organisation asks with, signed by its node's key and the one that would vote; others' with `keys`."""
    node, voter = keys or (node_key(name, generation), consensus_key(name, generation))
    values: dict[str, Any] = {
        "member": pseudonym(name),
        "name": f"{name} plc",
        "tax_id": tax_id(name),
        "group": int(group),
        "tier": int(tier),
        "zone": 2,
        "node": node_id(name, generation),
        "node_key": node.keys[0],
        "consensus_key": voter.keys[0],
        "documents": (bytes(32),),
        "stake_micro": STAKE_MICRO,
    } | more
    signed = signed_application(*(values[field] for field in ("member", "tax_id", "node", "node_key", "consensus_key")))
    return Apply(
        **values,
        node_signature=bytes(ed_sign(node.secrets[0], signed)),
        consensus_signature=bytes(ed_sign(voter.secrets[0], signed)),
    )


def observation_of(name: str, height: int, header_hash: bytes, by: Signer | None = None) -> Observed:
    """What a member's node says of a block."""
    key = by or node_key(name)
    signature = bytes(ed_sign(key.secrets[0], signed_observation(pseudonym(name), height, header_hash)))
    return Observed(pseudonym(name), height, header_hash, key.keys[0], signature)


def rotation_to(name: str, key: RotatedKey, generation: int = 1) -> RotateKey:
    """A member asks for its next key."""
    new = node_key(name, generation) if key == RotatedKey.NODE else consensus_key(name, generation)
    signed = signed_rotation(pseudonym(name), key, new.keys[0])
    return RotateKey(pseudonym(name), int(key), new.keys[0], bytes(ed_sign(new.secrets[0], signed)))


class Consortium:
    """A world with members. Its blocks are agreed on by those who are not `away`."""

    def __init__(
        self,
        terms: ConsortiumTerms = TERMS,
        members: dict[str, tuple[Group, Tier, int]] | None = None,
        others: Iterable[str] = ("newcomer", "second", "third"),
        block_ms: int = 1_000,
    ) -> None:
        """`others` are organisations that have an account and money, and have not applied."""
        founding = Founding()
        founding.add_home("alice", export_w={Source.SOLAR: 8_000})
        founding.add_home("bob")
        founding.builder.set_consensus(block_ms)
        self.members = list(SEATED if members is None else members)
        add_members(founding, terms, SEATED if members is None else members)
        for name in others:
            founding.add_account(name, signer(name, 2, 3), 10 * STAKE_MICRO, Licence.NONE)
        self.world: World = founding.start()

    @classmethod
    def around(cls, world: World) -> "Consortium":
        """Of a world that was founded elsewhere."""
        consortium = cls.__new__(cls)
        consortium.world = world
        return consortium

    @property
    def height(self) -> int:
        """Of the last block."""
        return last_block(self.world.state).height

    @property
    def terms(self) -> ConsortiumTerms:
        """Those that count now."""
        return terms_of(self.world.state)

    def block(
        self,
        *wires: bytes,
        away: Collection[str] = (),
        round_: int = 0,
        time_ms: int | None = None,
        misbehaviour: tuple[Misbehaviour, ...] = (),
    ) -> BlockOutcome:
        """One block with these transactions, which says that these members did not vote for the one before."""
        world = self.world
        batches = (world.batch(*wires),) if wires else ()
        commit = None
        if self.height:
            rotation = rotation_of(world.state, self.height)
            assert rotation is not None
            voting = {voter.address for voter in rotation.voters.each}
            addresses = {address for name in away for address in self.addresses(name)}
            commit = LastCommit(round_, tuple(sorted(addresses & voting)))
        return world.block(*batches, time_ms=time_ms, misbehaviour=misbehaviour, last_commit=commit)

    def blocks(self, count: int, **more: Any) -> None:
        """So many of the same kind."""
        for _ in range(count):
            self.block(**more)

    def run(self, *wires: bytes, **more: Any) -> list[Receipt]:
        """One block with these transactions; their receipts."""
        (batch,) = self.block(*wires, **more).batches
        assert batch.code == 0, CONSORTIUM.codes[batch.code]
        return [decode_receipt(receipt) for receipt in batch.receipts]

    def do(self, name: str, *messages: Message, **more: Any) -> str:
        """The name of the code that came of one transaction."""
        (receipt,) = self.run(self.world.sign(name, *messages), **more)
        return CONSORTIUM.codes[receipt.code]

    def addresses(self, name: str) -> list[bytes]:
        """Those of every key that ever voted for a member."""
        rows = self.world.state.items(KEY_OWNERS)
        return [address for address, owner in rows if owner.member == pseudonym(name)]

    def member(self, name: str) -> Member:
        """The member's record."""
        return member_of(self.world.state, pseudonym(name))

    def standing(self, name: str) -> str:
        """Where the member stands; "unknown" if there is none of this name."""
        member = self.world.state.get(MEMBERS, pseudonym(name))
        return "unknown" if member is None else Standing(member.standing).name

    def conduct(self, name: str) -> Conduct:
        """How the member did."""
        return conduct_of(self.world.state, pseudonym(name))

    def votes(self, name: str) -> bool:
        """Whether the member's present key stands in the validator set."""
        return address_of(self.member(name).consensus_key) in self.world.state.rows[VALIDATORS.prefix]

    def proposal(self, number: int) -> Proposal:
        """One proposal."""
        found = self.world.state.get(PROPOSALS, number.to_bytes(8, "big"))
        assert found is not None
        return found

    def numbers(self) -> list[int]:
        """Those of all proposals that are kept, open or decided."""
        return [int.from_bytes(key, "big") for key in self.world.state.keys(PROPOSALS)]

    def outcome(self, number: int) -> str:
        """What became of it."""
        return Outcome(self.proposal(number).outcome).name

    def application(self, name: str, group: Group = Group.TRADE, tier: Tier = Tier.SECONDARY, **more: Any) -> Apply:
        """As `application_of`."""
        return application_of(name, group, tier, **more)

    def observation(self, name: str, by: Signer | None = None) -> Observed:
        """What a node says of the present checkpoint."""
        ((key, checkpoint),) = self.world.state.items(CHECKPOINTS)
        return observation_of(name, int.from_bytes(key, "big"), checkpoint.header_hash, by)

    def observe(self, name: str, blocks: int, **more: Any) -> None:
        """So many blocks, at whose checkpoints the node says what it sees."""
        for _ in range(blocks):
            self.block(**more)
            for key in self.world.state.keys(CHECKPOINTS):
                # The block after a checkpoint forgets the one before: what is said then comes too late.
                is_last = self.height % self.terms.checkpoint_blocks == 0
                if self.standing(name) == "SEATED" or is_last:
                    continue
                if self.conduct(name).last_checkpoint < int.from_bytes(key, "big"):
                    assert self.do("alice", self.observation(name), **more) == "OK"

    def rotation(self, name: str, key: RotatedKey, generation: int = 1) -> RotateKey:
        """As `rotation_to`."""
        return rotation_to(name, key, generation)

    def propose(self, name: str, act: Act, subject: str = "", value: Record | None = None) -> int:
        """A proposal's number."""
        ask = Propose(int(act), pseudonym(subject) if subject else b"", encode(value) if value else b"")
        (receipt,) = self.run(self.world.sign(name, ask))
        assert receipt.code == 0, CONSORTIUM.codes[receipt.code]
        return receipt.results[0][0]

    def vote(self, number: int, *names: str, yes: bool = True) -> str:
        """All of these vote the same, one block each, until it is decided; the outcome."""
        for name in names:
            if self.outcome(number) == "OPEN":
                assert self.do(name, Vote(number, yes)) == "OK"
        return self.outcome(number)

    def candidate(self, name: str, **more: Any) -> None:
        """An organisation that applied, was attested, endorsed and observed."""
        assert self.do(name, self.application(name, **more)) == "OK"
        assert self.do("erc", Attest(pseudonym(name))) == "OK"
        for endorser in ("egat-hq", "ipp"):
            assert self.do(endorser, Endorse(pseudonym(name))) == "OK"
        self.observe(name, 3 * TERMS.checkpoint_blocks)

    def admit(self, name: str, **more: Any) -> None:
        """An organisation that is in, by vote."""
        self.candidate(name, **more)
        number = self.propose("egat-hq", Act.ADMIT, name)
        assert self.vote(number, "mea-hq", "erc", "ipp", "bank-one", "techno", "province") == "CARRIED"
