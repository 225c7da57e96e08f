"""Documents about those who run the chain, from the rows that the read model follows. Everything is as of its head."""

from collections.abc import Iterable
from typing import Any

import msgspec

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.gateway import authority_documents as documents
from gridtokenx.gateway.local_time import day_text
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.ledger.batch import NODE_ID_BYTES, NODES
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.freeze import FREEZE, FREEZE_KEY
from gridtokenx.ledger.state import State
from gridtokenx.ledger.validator import VALIDATORS
from gridtokenx.modules.authority.messages import Act, Group, NodeLicence, Replacement, Standing, Tier
from gridtokenx.modules.authority.powers import ATTESTS, ENDORSES, WHILE_FROZEN
from gridtokenx.modules.authority.proposals import closes_ms, count_votes, electorate, rule_now
from gridtokenx.modules.authority.reputation import DOUBTFUL_PARTS
from gridtokenx.modules.authority.state import (
    BALLOTS,
    CONSORTIUM_TERMS,
    KEY_OWNERS,
    MEMBERS,
    MISDEEDS,
    PENALTIES,
    PPM,
    PROPOSALS,
    SERVICE_DAYS,
    THE_ONE,
    Ballot,
    ConsortiumTerms,
    Member,
    MisdeedKind,
    Outcome,
    Proposal,
    ServiceDay,
    conduct_of,
    epoch_of,
    member_of,
)

TARGET_PPM = 999_900
"""What the market promises: 99.99 % of the time."""

MISDEEDS_SHOWN = 100
"""Of one member; all of them are counted."""

PROPOSAL_KEY_BYTES = 8

_decode_terms: Decoder[ConsortiumTerms] = Decoder(ConsortiumTerms)
_decode_licence: Decoder[NodeLicence] = Decoder(NodeLicence)
_decode_replacement: Decoder[Replacement] = Decoder(Replacement)


def available_ppm(lost: int, whole: int) -> int | None:
    """What is left of the whole, in millionths, rounded down; None of nothing."""
    return (whole - min(lost, whole)) * PPM // whole if whole else None


def authorities_view(model: ReadModel) -> documents.Authorities:
    """All of it: terms, epoch, members in the order of groups and names, powers, and what consensus knows."""
    state = model.authority
    terms, freeze = state.get(CONSORTIUM_TERMS, THE_ONE), state.get(FREEZE, FREEZE_KEY)
    powers = powers_by_member(state)
    counts = misdeeds_by_node(state)
    members = sorted(state.items(MEMBERS), key=lambda item: (item[1].group, item[1].name, item[0]))
    owners = {member.node: named(state, key) for key, member in members}
    return documents.Authorities(
        model.head.height,
        model.head.time_ms,
        terms is not None,
        None if freeze is None else freeze.since_ms,
        None if terms is None else terms_view(terms),
        None if terms is None else epoch_view(model, terms),
        [
            documents.MemberView(**_member(model, key, member, powers.get(key, 0), counts.get(member.node, 0)))
            for key, member in members
        ],
        [] if terms is None else powers_view(state),
        [
            documents.ValidatorView(
                address.hex(),
                validator.public_key.hex(),
                validator.power,
                validator.node.hex(),
                named(state, owner.member) if (owner := state.get(KEY_OWNERS, address)) else None,
            )
            for address, validator in state.items(VALIDATORS)
        ],
        [
            documents.NodeView(key.hex(), node.public_key.hex(), node.licensed, owners.get(key))
            for key, node in state.items(NODES)
        ],
    )


def member_detail(model: ReadModel, key: bytes, member: Member) -> documents.MemberDetail:
    """One member, with its documents and what is proved against its node."""
    state = model.authority
    proved = [
        documents.MisdeedView(
            MisdeedKind(misdeed.kind).name.lower(),
            misdeed.height,
            misdeed.reported_ms,
            misdeed.reporter.hex() or None,
        )
        for name, misdeed in state.items(MISDEEDS)
        if name[:NODE_ID_BYTES] == member.node
    ]
    proved.sort(key=lambda view: -view.reported_ms)
    return documents.MemberDetail(
        **_member(model, key, member, powers_by_member(state).get(key, 0), len(proved)),
        height=model.head.height,
        time_ms=model.head.time_ms,
        documents=[one.hex() for one in member.documents],
        proved=proved[:MISDEEDS_SHOWN],
    )


def powers_by_member(state: State) -> dict[bytes, int]:
    """What each member's keys have in consensus now."""
    powers: dict[bytes, int] = {}
    for address, validator in state.items(VALIDATORS):
        owner = state.get(KEY_OWNERS, address)
        if owner is not None:
            powers[owner.member] = powers.get(owner.member, 0) + validator.power
    return powers


def misdeeds_by_node(state: State) -> dict[bytes, int]:
    """How much is proved against each node."""
    counts: dict[bytes, int] = {}
    for key in state.keys(MISDEEDS):
        counts[key[:NODE_ID_BYTES]] = counts.get(key[:NODE_ID_BYTES], 0) + 1
    return counts


def named(state: State, key: bytes) -> documents.NamedMember:
    """A member by what it is called."""
    member = state.get(MEMBERS, key)
    return documents.NamedMember(key.hex(), "" if member is None else member.name)


def _member(model: ReadModel, key: bytes, member: Member, power: int, misdeeds: int) -> dict[str, Any]:
    """The fields of `MemberView`."""
    state = model.authority
    conduct, penalty, node = conduct_of(state, key), state.get(PENALTIES, key), state.get(NODES, member.node)
    epoch, total = _conducts(model, key, is_judged=member.standing == Standing.SEATED and power > 0)
    return {
        "member": key.hex(),
        "name": member.name,
        "tax_id": member.tax_id,
        "group": Group(member.group).name.lower(),
        "tier": Tier(member.tier).name.lower(),
        "zone": member.zone,
        "standing": Standing(member.standing).name.lower(),
        "since_ms": member.since_ms,
        "account": member.account.hex(),
        "node": member.node.hex(),
        "licensed": node is not None and node.licensed,
        "consensus_key": member.consensus_key.hex(),
        "power": power,
        "reputation_ppm": conduct.score_ppm,
        "epoch": epoch,
        "total": total,
        "bad": conduct.bad,
        "checkpoints": conduct.checkpoints,
        "observed_blocks": conduct.observed_blocks,
        "stake_micro": member.stake_micro,
        "penalty": None if penalty is None else documents.PenaltyView(penalty.amount_micro, penalty.due_ms),
        "misdeeds": misdeeds,
        "attested_by": [named(state, other) for other in member.attested_by],
        "endorsed_by": [named(state, other) for other in member.endorsed_by],
    }


def _conducts(model: ReadModel, key: bytes, *, is_judged: bool) -> tuple[documents.ConductView, documents.ConductView]:
    """(of the running epoch, in all). Judged is who has a seat and votes. A block says how the one before it was
    agreed: the newest is not counted yet. Where no consensus agrees on blocks nothing is."""
    state = model.authority
    conduct = conduct_of(state, key)
    blocks = 0
    if is_judged and state.rows[SERVICE_DAYS.prefix]:
        blocks = max(0, model.head.height - max(epoch_of(state).from_height, conduct.from_height))
    epoch = _conduct(blocks, conduct.absent, conduct.missed)
    total = _conduct(
        conduct.blocks_total + blocks, conduct.absent_total + conduct.absent, conduct.missed_total + conduct.missed
    )
    return epoch, total


def _conduct(blocks: int, absent: int, missed: int) -> documents.ConductView:
    return documents.ConductView(blocks, absent, missed, available_ppm(absent, blocks))


def terms_view(terms: ConsortiumTerms) -> documents.TermsOfConsortium:
    """The same numbers."""
    return documents.TermsOfConsortium(**msgspec.structs.asdict(terms) | {"group_seats": list(terms.group_seats)})


def epoch_view(model: ReadModel, terms: ConsortiumTerms) -> documents.EpochView:
    """The running epoch."""
    epoch, agreed_height = epoch_of(model.authority), model.head.height - 1
    blocks = agreed_height - epoch.from_height + 1
    in_doubt = epoch.doubtful * DOUBTFUL_PARTS > blocks or 0 < epoch.last_doubt == agreed_height
    return documents.EpochView(
        epoch.number,
        epoch.from_height,
        epoch.from_height + terms.epoch_blocks - 1,
        epoch.changes,
        epoch.doubtful,
        in_doubt,
    )


def powers_view(state: State) -> list[documents.PowerView]:
    """The table of powers, as the ledger has it now."""
    said = (("attest", ATTESTS), ("endorse", ENDORSES))
    lines = [
        documents.PowerView(name, _tiers(tiers), [], None, None, more_than=False, while_frozen=False)
        for name, tiers in said
    ]
    for act in Act:
        rule = rule_now(state, act)
        share = rule.over or rule.at_least
        assert share is not None, "a rule has a share"
        lines.append(
            documents.PowerView(
                act.name.lower(),
                _tiers(rule.proposers),
                _tiers(rule.voters),
                *share,
                more_than=rule.over is not None,
                while_frozen=act in WHILE_FROZEN,
            )
        )
    return lines


def _tiers(tiers: Iterable[Tier]) -> list[str]:
    return [tier.name.lower() for tier in sorted(tiers)]


def _ballots_by_proposal(state: State) -> dict[bytes, list[tuple[bytes, Ballot]]]:
    """(member, ballot) of each."""
    found: dict[bytes, list[tuple[bytes, Ballot]]] = {}
    for name, ballot in state.rows[BALLOTS.prefix].items():
        found.setdefault(name[:PROPOSAL_KEY_BYTES], []).append((name[PROPOSAL_KEY_BYTES:], ballot))
    return found


def proposal_view(
    model: ReadModel, key: bytes, proposal: Proposal, ballots: list[tuple[bytes, Ballot]]
) -> documents.ProposalView:
    """One proposal with its votes, in the order of members' names."""
    state, act = model.authority, Act(proposal.act)
    voters = set(electorate(state, proposal))
    votes = [
        documents.VoteView(
            member.hex(),
            named(state, member).name,
            ballot.yes,
            member in voters and member_of(state, member).account == ballot.account,
        )
        for member, ballot in ballots
    ]
    votes.sort(key=lambda vote: (vote.name, vote.member))
    if proposal.outcome == Outcome.OPEN:
        yes, no, _ = count_votes(state, key, proposal)
    else:
        yes = sum(vote.yes for vote in votes)
        no = len(votes) - yes
    is_open = proposal.outcome == Outcome.OPEN
    terms, licence, replacement = _value(act, proposal.value)
    return documents.ProposalView(
        int.from_bytes(key, "big"),
        act.name.lower(),
        proposal.subject.hex(),
        "" if act == Act.LICENSE else named(state, proposal.subject).name,
        terms,
        licence,
        replacement,
        named(state, proposal.proposer),
        proposal.opened_ms,
        closes_ms(state, proposal) if is_open else proposal.closes_ms,
        Outcome(proposal.outcome).name.lower(),
        proposal.code,
        CONSORTIUM.codes[proposal.code] if proposal.code else "",
        rule_now(state, act).needs(len(voters)) if is_open else None,
        len(voters) if is_open else None,
        yes,
        no,
        votes,
    )


def _value(
    act: Act, value: bytes
) -> tuple[
    documents.TermsOfConsortium | None,
    documents.LicenceView | None,
    documents.ReplacementView | None,
]:
    match act:
        case Act.SET_TERMS:
            return terms_view(_decode_terms.trusted(value)), None, None
        case Act.LICENSE:
            licence = _decode_licence.trusted(value)
            return None, documents.LicenceView(licence.public_key.hex(), licence.licensed), None
        case Act.REPLACE:
            new = _decode_replacement.trusted(value)
            keys = (new.account.hex(), new.node_key.hex(), new.consensus_key.hex())
            return None, None, documents.ReplacementView(*keys)
    return None, None, None


def proposals_page(model: ReadModel, *, is_open: bool | None, before: int | None, limit: int) -> documents.Proposals:
    """Those that are open, or decided, or (None) all; newest first."""
    found = [
        (key, proposal)
        for key, proposal in model.authority.items(PROPOSALS)
        if (is_open is None or (proposal.outcome == Outcome.OPEN) == is_open)
        and (before is None or int.from_bytes(key, "big") < before)
    ]
    page = found[: -limit - 1 : -1]
    ballots = _ballots_by_proposal(model.authority)
    views = [proposal_view(model, key, proposal, ballots.get(key, [])) for key, proposal in page]
    following = views[-1].number if len(found) > limit else 0
    return documents.Proposals(model.head.height, model.head.time_ms, views, following)


def availability_page(model: ReadModel, before: int | None, limit: int) -> documents.Availability:
    """The newest days before that one, and the sum of all."""
    days = {int.from_bytes(key, "big"): day for key, day in model.authority.items(SERVICE_DAYS)}
    found = [day for day in days if before is None or day < before]
    views = [documents.ServiceDayView(**_service([days[day]]), day=day, date=day_text(day)) for day in found[-limit:]]
    return documents.Availability(
        model.head.height,
        model.head.time_ms,
        TARGET_PPM,
        documents.Service(**_service(days.values())),
        views,
        views[0].day if len(found) > limit else 0,
    )


def available_today_ppm(model: ReadModel) -> int | None:
    """Of the newest day."""
    newest = [day for _, day in model.authority.items(SERVICE_DAYS)][-1:]
    return available_ppm(sum(day.lost_ms for day in newest), sum(day.elapsed_ms for day in newest))


def _service(days: Iterable[ServiceDay]) -> dict[str, Any]:
    """The fields of `Service`: sums, and what they come to."""
    sums = dict.fromkeys(ServiceDay.__struct_fields__, 0)
    for day in days:
        for name in sums:
            sums[name] += getattr(day, name)
    return {**sums, "available_ppm": available_ppm(sums["lost_ms"], sums["elapsed_ms"])}
