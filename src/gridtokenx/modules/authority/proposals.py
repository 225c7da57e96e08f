"""Proposals and votes: what members decide together, by the rules of `powers`.

A proposal is carried as soon as enough of those who may vote now have said yes, and lost as soon as that cannot be
any more, or when its time is over. Who may vote is looked at whenever it is counted: a ballot counts while its member
is admitted and the account that cast it still speaks for the member. A member does not vote on itself. What cannot be
voted while the market is frozen ends later by as much.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from gridtokenx.ledger import freeze, limits, schedule
from gridtokenx.ledger.batch import NODE_ID_BYTES, Node
from gridtokenx.ledger.codec import Decoder
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import KernelCode, Rejected
from gridtokenx.ledger.state import State
from gridtokenx.modules.authority.members import REMOVABLE, admit, admitted_speaker, remove, replace, require_ready
from gridtokenx.modules.authority.messages import (
    Act,
    AuthorityCode,
    NodeLicence,
    Propose,
    Replacement,
    Standing,
    Tier,
    Vote,
)
from gridtokenx.modules.authority.misdeeds import reinstate
from gridtokenx.modules.authority.nodes import change_node
from gridtokenx.modules.authority.powers import RULES, WHILE_FROZEN, WITHOUT_EMERGENCY, Rule
from gridtokenx.modules.authority.seats import want_change
from gridtokenx.modules.authority.state import (
    ADMITTED,
    BALLOTS,
    CLOSE_PROPOSAL,
    CONSORTIUM_TERMS,
    FORGET_PROPOSAL,
    MEMBERS,
    PROPOSAL_COUNT,
    PROPOSALS,
    THE_ONE,
    Ballot,
    ConsortiumTerms,
    Outcome,
    Proposal,
    ProposalCount,
    member_of,
    terms_of,
)
from gridtokenx.modules.authority.terms import check_terms

T = TypeVar("T")

_decode_terms: Decoder[ConsortiumTerms] = Decoder(ConsortiumTerms)
_decode_licence: Decoder[NodeLicence] = Decoder(NodeLicence)
_decode_replacement: Decoder[Replacement] = Decoder(Replacement)

_ABOUT_MEMBERS: Final = frozenset({Act.ADMIT, Act.REMOVE, Act.REINSTATE, Act.REPLACE})
_WITH_VALUE: Final = frozenset({Act.SET_TERMS, Act.LICENSE, Act.REPLACE})


def propose(state: State, context: Context, message: Propose) -> tuple[int, ...]:
    """`NO_CONSORTIUM`, `NOT_A_MEMBER`, `ACT_UNKNOWN`, `FROZEN`, `STANDING_WRONG`, `POWER_MISSING` (of another tier, or
    nobody could vote), and as `_check_act`; `PROPOSAL_REPEATED` (the same is open), `PROPOSALS_EXCEEDED`. Returns the
    proposal's number."""
    rule = _rule_of(state, message.act)
    proposer = admitted_speaker(state, context.sender, rule.proposers)
    _check_act(state, context, Act(message.act), message.subject, message.value)
    _check_open(state, proposer, message)
    end_ms = context.time_ms + terms_of(state).vote_ms
    proposal = Proposal(
        message.act, message.subject, message.value, proposer, context.time_ms, end_ms, int(Outcome.OPEN), 0
    )
    if not electorate(state, proposal):
        raise Rejected(AuthorityCode.POWER_MISSING, "subject")
    number = _next_number(state)
    key = number.to_bytes(8, "big")
    state.put(PROPOSALS, key, proposal)
    schedule.add(state, end_ms, CLOSE_PROPOSAL, key)
    if _may_vote(state, proposer, rule, proposal):
        state.put(BALLOTS, key + proposer, Ballot(True, context.sender))
    _decide(state, context, key, proposal)
    return (number,)


def vote(state: State, context: Context, message: Vote) -> tuple[int, ...]:
    """`NO_CONSORTIUM`, `NOT_A_MEMBER`, `PROPOSAL_UNKNOWN`, `PROPOSAL_CLOSED`, `FROZEN`, `STANDING_WRONG`,
    `POWER_MISSING` (of another tier, or about itself), `SAID_ALREADY`. Returns the proposal's outcome."""
    terms_of(state)
    key = message.proposal.to_bytes(8, "big")
    proposal = state.get(PROPOSALS, key)
    if proposal is None:
        raise Rejected(AuthorityCode.PROPOSAL_UNKNOWN, "proposal")
    if proposal.outcome != Outcome.OPEN or not _in_time(state, context, proposal):
        raise Rejected(AuthorityCode.PROPOSAL_CLOSED, "proposal")
    rule = _rule_of(state, proposal.act)
    voter = admitted_speaker(state, context.sender, rule.voters)
    if not _may_vote(state, voter, rule, proposal):
        raise Rejected(AuthorityCode.POWER_MISSING, "sender")
    earlier = state.get(BALLOTS, key + voter)
    if earlier is not None and earlier.account == context.sender:
        raise Rejected(AuthorityCode.SAID_ALREADY, "proposal")
    state.put(BALLOTS, key + voter, Ballot(message.yes, context.sender))
    return (_decide(state, context, key, proposal),)


def _rule_of(state: State, act: int) -> Rule:
    """`ACT_UNKNOWN`; `FROZEN` for what can wait until the market goes on."""
    if act not in list(Act):
        raise Rejected(AuthorityCode.ACT_UNKNOWN, "act")
    if freeze.is_frozen(state) and act not in WHILE_FROZEN:
        raise Rejected(KernelCode.FROZEN, "act")
    return rule_now(state, Act(act))


def rule_now(state: State, act: Act) -> Rule:
    """Who proposes and decides it as things are."""
    if act == Act.RESUME and not any(
        member.tier == Tier.EMERGENCY and member.standing in ADMITTED for member in state.rows[MEMBERS.prefix].values()
    ):
        return WITHOUT_EMERGENCY
    return RULES[act]


def closes_ms(state: State, proposal: Proposal) -> int | None:
    """When its time is over, as far as is known now: the time in which nobody could vote on it does not count. None:
    put off by a freeze that lasts."""
    if proposal.act in WHILE_FROZEN:
        return proposal.closes_ms
    return freeze.falls_due_ms(state, proposal.opened_ms, proposal.closes_ms - proposal.opened_ms)


def _in_time(state: State, context: Context, proposal: Proposal) -> bool:
    due_ms = closes_ms(state, proposal)
    return due_ms is None or context.time_ms < due_ms


def _check_act(state: State, context: Context, act: Act, subject: bytes, value: bytes) -> None:
    """Whether it could be done now: `PROPOSAL_MALFORMED`, and what doing it would say."""
    is_member, is_node = act in _ABOUT_MEMBERS, act == Act.LICENSE
    wanted = len(subject) == NODE_ID_BYTES if is_member or is_node else not subject
    if not wanted or bool(value) != (act in _WITH_VALUE):
        raise Rejected(AuthorityCode.PROPOSAL_MALFORMED, "subject" if not wanted else "value")
    match act:
        case Act.ADMIT:
            require_ready(state, member_of(state, subject), subject, context.time_ms)
        case Act.REMOVE:
            if member_of(state, subject).standing not in REMOVABLE:
                raise Rejected(AuthorityCode.STANDING_WRONG, "subject")
        case Act.REINSTATE:
            if member_of(state, subject).standing != Standing.SUSPENDED:
                raise Rejected(AuthorityCode.STANDING_WRONG, "subject")
        case Act.SET_TERMS:
            check_terms(_value(_decode_terms, value))
        case Act.LICENSE:
            _value(_decode_licence, value)
        case Act.REPLACE:
            _value(_decode_replacement, value)
            if member_of(state, subject).standing not in ADMITTED:
                raise Rejected(AuthorityCode.STANDING_WRONG, "subject")
        case Act.FREEZE:
            if freeze.is_frozen(state):
                raise Rejected(AuthorityCode.MARKET_FROZEN_ALREADY, "act")
        case Act.RESUME:
            if not freeze.is_frozen(state):
                raise Rejected(AuthorityCode.MARKET_NOT_FROZEN, "act")


def _value(decode: Decoder[T], value: bytes) -> T:
    try:
        return decode(value)
    except Rejected:
        raise Rejected(AuthorityCode.PROPOSAL_MALFORMED, "value") from None


def _check_open(state: State, proposer: bytes, message: Propose) -> None:
    """`PROPOSAL_REPEATED`, `PROPOSALS_EXCEEDED`."""
    count = 0
    for other in state.rows[PROPOSALS.prefix].values():
        if other.outcome == Outcome.OPEN:
            count += other.proposer == proposer
            if (other.act, other.subject, other.value) == (message.act, message.subject, message.value):
                raise Rejected(AuthorityCode.PROPOSAL_REPEATED, "act")
    if count >= limits.PROPOSALS_OF_MEMBER_MAX:
        raise Rejected(AuthorityCode.PROPOSALS_EXCEEDED, "sender")


def _next_number(state: State) -> int:
    last = state.get(PROPOSAL_COUNT, THE_ONE) or ProposalCount(0)
    state.put(PROPOSAL_COUNT, THE_ONE, ProposalCount(last.count + 1))
    return last.count + 1


def _may_vote(state: State, name: bytes, rule: Rule, proposal: Proposal) -> bool:
    member = state.get(MEMBERS, name)
    if member is None or member.standing not in ADMITTED or member.tier not in rule.voters:
        return False
    return proposal.act not in _ABOUT_MEMBERS or name != proposal.subject


def electorate(state: State, proposal: Proposal) -> list[bytes]:
    """The members that may vote on it now, in order."""
    rule = rule_now(state, Act(proposal.act))
    return [name for name in state.keys(MEMBERS) if _may_vote(state, name, rule, proposal)]


def count_votes(state: State, key: bytes, proposal: Proposal) -> tuple[int, int, int]:
    """(yes, no, who may vote) as of now."""
    voters = electorate(state, proposal)
    yes = no = 0
    for name in voters:
        ballot = state.get(BALLOTS, key + name)
        if ballot is not None and ballot.account == member_of(state, name).account:
            yes, no = yes + ballot.yes, no + (not ballot.yes)
    return yes, no, len(voters)


def _decide(state: State, context: Context, key: bytes, proposal: Proposal, *, at_the_end: bool = False) -> int:
    """Carry it, or let it be lost, if that is clear; returns its outcome."""
    yes, no, voters = count_votes(state, key, proposal)
    needed = rule_now(state, Act(proposal.act)).needs(voters)
    if yes >= needed:
        outcome, code = _carry_out(state, context, proposal)
    elif at_the_end or voters - no < needed:
        outcome, code = Outcome.LOST, 0
    else:
        return int(Outcome.OPEN)
    state.put(PROPOSALS, key, msgspec.structs.replace(proposal, outcome=int(outcome), code=code))
    schedule.remove(state, proposal.closes_ms, CLOSE_PROPOSAL, key)
    schedule.add(state, context.time_ms + limits.PROPOSAL_KEPT_MS, FORGET_PROPOSAL, key)
    return int(outcome)


def _carry_out(state: State, context: Context, proposal: Proposal) -> tuple[Outcome, int]:
    """Do what was decided. What cannot be done any more is taken back whole, and says why; the votes stand."""
    mark = len(state.undo)
    try:
        _ACTS[Act(proposal.act)](state, context, proposal)
    except Rejected as rejection:
        state.roll_back(mark)
        return Outcome.FAILED, int(rejection.code)
    return Outcome.CARRIED, 0


def _set_terms(state: State, context: Context, proposal: Proposal) -> None:
    terms = _decode_terms.trusted(proposal.value)
    check_terms(terms)
    state.put(CONSORTIUM_TERMS, THE_ONE, terms)
    want_change(state, context)


def _license(state: State, context: Context, proposal: Proposal) -> None:
    """Of a node that is no member's: a gateway, an authority that only watches."""
    if any(member.node == proposal.subject for member in state.rows[MEMBERS.prefix].values()):
        raise Rejected(AuthorityCode.NODE_TAKEN, "subject")
    licence = _decode_licence.trusted(proposal.value)
    change_node(state, context, proposal.subject, Node(licence.public_key, licence.licensed))


def _replace(state: State, context: Context, proposal: Proposal) -> None:
    replace(state, context, proposal.subject, _decode_replacement.trusted(proposal.value))


def _freeze(state: State, context: Context, proposal: Proposal) -> None:
    if freeze.is_frozen(state):
        raise Rejected(AuthorityCode.MARKET_FROZEN_ALREADY, "act")
    freeze.begin(state, context)


def _resume(state: State, context: Context, proposal: Proposal) -> None:
    if not freeze.is_frozen(state):
        raise Rejected(AuthorityCode.MARKET_NOT_FROZEN, "act")
    freeze.end(state, context)


_ACTS: Final[dict[Act, Callable[[State, Context, Proposal], None]]] = {
    Act.ADMIT: lambda state, context, proposal: admit(state, context, proposal.subject, proposal.opened_ms),
    Act.REMOVE: lambda state, context, proposal: remove(state, context, proposal.subject),
    Act.REINSTATE: lambda state, context, proposal: reinstate(state, context, proposal.subject),
    Act.SET_TERMS: _set_terms,
    Act.LICENSE: _license,
    Act.FREEZE: _freeze,
    Act.RESUME: _resume,
    Act.REPLACE: _replace,
}


def close_proposal(state: State, context: Context, key: bytes) -> int:
    """Scheduled when its time is over: counted once more, for the electorate may have changed. Looked at again later if
    a freeze of the market put the end off."""
    proposal = state.get(PROPOSALS, key)
    if proposal is None or proposal.outcome != Outcome.OPEN:
        return 1
    if _in_time(state, context, proposal):
        schedule.add(state, closes_ms(state, proposal) or context.time_ms + limits.FREEZE_RETRY_MS, CLOSE_PROPOSAL, key)
        return 1
    _decide(state, context, key, proposal, at_the_end=True)
    return 1 + len(state.rows[MEMBERS.prefix])


def forget_proposal(state: State, context: Context, key: bytes) -> int:
    """Scheduled when a decided proposal was to be read long enough."""
    state.delete(PROPOSALS, key)
    ballots = sorted(name for name in state.rows[BALLOTS.prefix] if name.startswith(key))
    for name in ballots:
        state.delete(BALLOTS, name)
    return 1 + len(ballots)
