"""The way in and out: an organisation applies, primary members see its documents, members endorse it, its node shows
that it follows the chain; then it can be proposed (`proposals`). And the keys of those who are in.
"""

from typing import Final

import msgspec

from gridtokenx.ledger import limits, schedule
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.batch import NODES, Node
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.state import State
from gridtokenx.ledger.validator import address_of
from gridtokenx.modules.authority.messages import (
    Apply,
    Attest,
    AuthorityCode,
    Endorse,
    Group,
    Replacement,
    RotatedKey,
    RotateKey,
    Standing,
    Tier,
    Withdraw,
)
from gridtokenx.modules.authority.nodes import change_node, license_node, open_node_account
from gridtokenx.modules.authority.powers import ATTESTS, ENDORSES
from gridtokenx.modules.authority.seats import has_vacancy, is_voting, want_change
from gridtokenx.modules.authority.state import (
    ADMITTED,
    CONDUCT,
    EPOCH,
    KEY_OWNERS,
    MEMBERS,
    PENALTIES,
    PPM,
    RETURN_STAKE,
    THE_ONE,
    Conduct,
    KeyOwner,
    Member,
    conduct_of,
    epoch_of,
    member_of,
    set_standing,
    speaker,
    terms_of,
)
from gridtokenx.modules.authority.taxid import is_tax_id
from gridtokenx.modules.identity.handlers import refuse_weak_key
from gridtokenx.modules.identity.messages import IdentityCode
from gridtokenx.modules.identity.state import ZONES, zone_key
from gridtokenx.modules.tokens.state import hold, release

RETRY_MS: Final = 60_000
"""How often a stake that cannot be returned yet is looked at again."""

_UNSEEN: Final = Conduct(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
"""Of a candidate: it has no reputation yet."""


def apply(state: State, context: Context, message: Apply) -> tuple[int, ...]:
    """`NO_CONSORTIUM`, `NOT_A_MEMBER` (it names another than the sender), `STAKE_TOO_LOW`, `BALANCE_TOO_LOW`, and as
    `add_member`."""
    terms = terms_of(state)
    if message.stake_micro < terms.stake_micro:
        raise Rejected(AuthorityCode.STAKE_TOO_LOW, "stake_micro")
    account = state.get(ACCOUNTS, context.sender)
    assert account is not None, "it signed"
    if account.participant != message.member:
        raise Rejected(AuthorityCode.NOT_A_MEMBER, "member")
    member = Member(
        message.name,
        message.tax_id,
        message.group,
        message.tier,
        message.zone,
        int(Standing.CANDIDATE),
        context.time_ms,
        context.sender,
        message.node,
        message.consensus_key,
        message.documents,
        message.stake_micro,
        context.sender,
        context.height,
        (),
        (),
    )
    add_member(state, context, account.participant, member, message.node_key)
    return ()


def add_member(state: State, context: Context, name: bytes, member: Member, node_key: bytes) -> None:
    """Write a member down with its node and keys, and hold its stake: `MEMBER_EXISTS`, `MEMBERS_EXCEEDED`,
    `TAX_ID_INVALID`, `TAX_ID_TAKEN`, `GROUP_UNKNOWN`, `ZONE_UNKNOWN`, `NODE_TAKEN`, `CONSENSUS_KEY_TAKEN`,
    `KEY_NOT_ALLOWED`, `NODE_KEY_TAKEN`, `NODES_EXCEEDED`, `BALANCE_TOO_LOW`."""
    if state.get(MEMBERS, name) is not None:
        raise Rejected(AuthorityCode.MEMBER_EXISTS, "sender")
    if len(state.rows[MEMBERS.prefix]) >= limits.MEMBERS_MAX:
        raise Rejected(AuthorityCode.MEMBERS_EXCEEDED, "sender")
    if not is_tax_id(member.tax_id):
        raise Rejected(AuthorityCode.TAX_ID_INVALID, "tax_id")
    if any(other.tax_id == member.tax_id for other in state.rows[MEMBERS.prefix].values()):
        raise Rejected(AuthorityCode.TAX_ID_TAKEN, "tax_id")
    if member.group not in list(Group) or member.tier not in list(Tier):
        raise Rejected(AuthorityCode.GROUP_UNKNOWN, "group")
    if state.get(ZONES, zone_key(member.zone)) is None:
        raise Rejected(IdentityCode.ZONE_UNKNOWN, "zone")
    if state.get(NODES, member.node) is not None:
        raise Rejected(AuthorityCode.NODE_TAKEN, "node")
    take_consensus_key(state, name, member.consensus_key)
    admitted = member.standing in ADMITTED
    change_node(state, context, member.node, Node(node_key, admitted))
    if admitted:
        open_node_account(state, member.node, node_key)
    hold(state, member.staked_by, member.stake_micro)
    state.put(MEMBERS, name, member)
    state.put(CONDUCT, name, conduct_of(state, name) if admitted else _UNSEEN)


def take_consensus_key(state: State, member: bytes, public_key: bytes) -> None:
    """The key is this member's for ever: `KEY_NOT_ALLOWED`, `CONSENSUS_KEY_TAKEN`."""
    refuse_weak_key(public_key)
    address = address_of(public_key)
    if state.get(KEY_OWNERS, address) is not None:
        raise Rejected(AuthorityCode.CONSENSUS_KEY_TAKEN, "consensus_key")
    state.put(KEY_OWNERS, address, KeyOwner(member))


def attest(state: State, context: Context, message: Attest) -> tuple[int, ...]:
    """`NO_CONSORTIUM`, `NOT_A_MEMBER`, `POWER_MISSING`, `MEMBER_UNKNOWN`, `STANDING_WRONG`, `SAID_ALREADY`."""
    sayer, candidate = _say(state, context, message.member, ATTESTS)
    if sayer in candidate.attested_by:
        raise Rejected(AuthorityCode.SAID_ALREADY, "member")
    said = (*candidate.attested_by, sayer)
    state.put(MEMBERS, message.member, msgspec.structs.replace(candidate, attested_by=said))
    return ()


def endorse(state: State, context: Context, message: Endorse) -> tuple[int, ...]:
    """As `attest`."""
    sayer, candidate = _say(state, context, message.member, ENDORSES)
    if sayer in candidate.endorsed_by:
        raise Rejected(AuthorityCode.SAID_ALREADY, "member")
    said = (*candidate.endorsed_by, sayer)
    state.put(MEMBERS, message.member, msgspec.structs.replace(candidate, endorsed_by=said))
    return ()


def _say(state: State, context: Context, candidate: bytes, tiers: frozenset[Tier]) -> tuple[bytes, Member]:
    sayer = admitted_speaker(state, context.sender, tiers)
    record = member_of(state, candidate)
    if record.standing != Standing.CANDIDATE:
        raise Rejected(AuthorityCode.STANDING_WRONG, "member")
    return sayer, record


def admitted_speaker(state: State, account_id: bytes, tiers: frozenset[Tier]) -> bytes:
    """The member for which the account speaks, if it is admitted and of one of these tiers: `NO_CONSORTIUM`,
    `NOT_A_MEMBER`, `STANDING_WRONG`, `POWER_MISSING`."""
    name, member = speaker(state, account_id)
    if member.standing not in ADMITTED:
        raise Rejected(AuthorityCode.STANDING_WRONG, "sender")
    if member.tier not in tiers:
        raise Rejected(AuthorityCode.POWER_MISSING, "sender")
    return name


def require_ready(state: State, candidate: Member, name: bytes, opened_ms: int) -> None:
    """Whether a candidate may be admitted by a proposal that was opened then: `STANDING_WRONG` (it is none, or applied
    later, or at that instant: nobody votes for one application and admits another), `STAKE_TOO_LOW`, `NOT_ATTESTED`,
    `NOT_ENDORSED` (by too few members that are still admitted, or all of one group), `NOT_OBSERVED`."""
    terms = terms_of(state)
    if candidate.standing != Standing.CANDIDATE or candidate.since_ms >= opened_ms:
        raise Rejected(AuthorityCode.STANDING_WRONG, "member")
    if candidate.stake_micro < terms.stake_micro:
        raise Rejected(AuthorityCode.STAKE_TOO_LOW, "stake_micro")
    if not _still_admitted(state, candidate.attested_by):
        raise Rejected(AuthorityCode.NOT_ATTESTED, "member")
    endorsers = _still_admitted(state, candidate.endorsed_by)
    groups = {endorser.group for endorser in endorsers}
    if len(endorsers) < terms.endorsements or (terms.endorsements > 1 and len(groups) == 1):
        raise Rejected(AuthorityCode.NOT_ENDORSED, "member")
    if conduct_of(state, name).observed_blocks < terms.observed_blocks:
        raise Rejected(AuthorityCode.NOT_OBSERVED, "member")


def _still_admitted(state: State, names: tuple[bytes, ...]) -> list[Member]:
    members = [state.get(MEMBERS, name) for name in names]
    return [member for member in members if member is not None and member.standing in ADMITTED]


def admit(state: State, context: Context, name: bytes, opened_ms: int) -> None:
    """Let a candidate in, as a reserve, or on a seat if one is free; its node may sign batches. As `require_ready`."""
    candidate = member_of(state, name)
    require_ready(state, candidate, name, opened_ms)
    license_node(state, candidate.node, licensed=True)
    open_node_account(state, candidate.node, state.rows[NODES.prefix][candidate.node].public_key)
    # What it showed as an observer lets it in with a full score.
    shown = msgspec.structs.replace(conduct_of(state, name), score_ppm=PPM, from_height=context.height, checkpoints=0)
    state.put(CONDUCT, name, shown)
    take_seat_if_free(state, context, name)


def take_seat_if_free(state: State, context: Context, name: bytes) -> None:
    """Who comes in, or is back, has a seat if one is free; else it is a reserve."""
    if has_vacancy(state, terms_of(state), member_of(state, name)):
        take_seat(state, context, name)
    else:
        set_standing(state, context, name, Standing.RESERVE)


def take_seat(state: State, context: Context, name: bytes) -> None:
    """The member votes in consensus as soon as the caps allow; its conduct counts from then (`seats`)."""
    set_standing(state, context, name, Standing.SEATED)
    want_change(state, context)


def leave_seat(state: State, context: Context, name: bytes, standing: Standing) -> None:
    """The member votes in consensus no more, as soon as the caps allow."""
    set_standing(state, context, name, standing)
    kept = msgspec.structs.replace(
        conduct_of(state, name), from_height=context.height, absent=0, missed=0, checkpoints=0
    )
    state.put(CONDUCT, name, kept)
    want_change(state, context)


REMOVABLE: Final = ADMITTED | {Standing.CANDIDATE, Standing.SUSPENDED}
"""A candidate too: else who applies in another's name would keep it out for ever."""


def remove(state: State, context: Context, name: bytes) -> None:
    """The member leaves; its stake stays held for the time of an appeal after its last vote in consensus, so that what
    it did can still cost it. A candidate goes at once. `STANDING_WRONG`, also of the last primary member: without one
    nobody could come, go or change the terms any more."""
    member = member_of(state, name)
    if member.standing not in REMOVABLE:
        raise Rejected(AuthorityCode.STANDING_WRONG, "member")
    if member.standing == Standing.CANDIDATE:
        _dismiss(state, name, member)
        return
    if member.tier == Tier.PRIMARY and not _another_primary(state, name):
        raise Rejected(AuthorityCode.STANDING_WRONG, "tier")
    license_node(state, member.node, licensed=False)
    leave_seat(state, context, name, Standing.LEFT)
    schedule.add(state, context.time_ms + terms_of(state).appeal_ms + 1, RETURN_STAKE, name)


def _another_primary(state: State, name: bytes) -> bool:
    """One that is suspended can be reinstated by other tiers."""
    return any(
        key != name and other.tier == Tier.PRIMARY and other.standing in ADMITTED | {Standing.SUSPENDED}
        for key, other in state.rows[MEMBERS.prefix].items()
    )


def _dismiss(state: State, name: bytes, candidate: Member) -> None:
    """Nothing is left of an application: its keys never voted, and its node never signed a batch."""
    state.delete(KEY_OWNERS, address_of(candidate.consensus_key))
    state.delete(NODES, candidate.node)
    _forget(state, name, candidate)


def withdraw(state: State, context: Context, message: Withdraw) -> tuple[int, ...]:
    """`NO_CONSORTIUM`, `NOT_A_MEMBER`, `STANDING_WRONG` (who is suspended does not leave by itself), as `remove`."""
    name, member = speaker(state, context.sender)
    if member.standing == Standing.SUSPENDED:
        raise Rejected(AuthorityCode.STANDING_WRONG, "sender")
    remove(state, context, name)
    return ()


def return_stake(state: State, context: Context, name: bytes) -> int:
    """Scheduled after a member left: what is left of its stake is free again, and the member forgotten. Waited for
    are a penalty that is not taken yet, a key that votes still because the caps keep it, and, after that, the time of
    an appeal."""
    member = state.get(MEMBERS, name)
    if member is None or member.standing != Standing.LEFT:
        return 1
    # Who votes has not left yet: `seats` sets the time when it does.
    free_ms = member.since_ms + terms_of(state).appeal_ms + 1
    if state.get(PENALTIES, name) is not None or is_voting(state, name):
        free_ms = max(free_ms, context.time_ms + RETRY_MS)
    if context.time_ms < free_ms:
        schedule.add(state, free_ms, RETURN_STAKE, name)
        return 1
    _forget(state, name, member)
    return 1


def _forget(state: State, name: bytes, member: Member) -> None:
    """Nothing of the member is left but its node, without licence, and the keys it voted with."""
    release(state, member.staked_by, member.stake_micro)
    state.delete(MEMBERS, name)
    if state.get(CONDUCT, name) is not None:
        state.delete(CONDUCT, name)


def rotate_key(state: State, context: Context, message: RotateKey) -> tuple[int, ...]:
    """`NO_CONSORTIUM`, `NOT_A_MEMBER`, `STANDING_WRONG`, `ACT_UNKNOWN`, `ROTATION_TOO_SOON` (once an epoch),
    `KEY_NOT_ALLOWED`, `NODE_KEY_TAKEN`, `CONSENSUS_KEY_TAKEN`."""
    name, member = speaker(state, context.sender)
    if name != message.member:
        raise Rejected(AuthorityCode.NOT_A_MEMBER, "member")
    if member.standing not in ADMITTED:
        raise Rejected(AuthorityCode.STANDING_WRONG, "sender")
    if message.key not in list(RotatedKey):
        raise Rejected(AuthorityCode.ACT_UNKNOWN, "key")
    if member.rotated_height and context.height < member.rotated_height + terms_of(state).epoch_blocks:
        raise Rejected(AuthorityCode.ROTATION_TOO_SOON, "sender")
    if message.key == RotatedKey.NODE:
        _rotate_node_key(state, context, member.node, message.public_key)
        open_node_account(state, member.node, message.public_key)
    else:
        take_consensus_key(state, name, message.public_key)
        member = msgspec.structs.replace(member, consensus_key=message.public_key)
        want_change(state, context)
    state.put(MEMBERS, name, msgspec.structs.replace(member, rotated_height=context.height))
    return ()


def _rotate_node_key(state: State, context: Context, node: bytes, public_key: bytes) -> None:
    """What the node signed before counts as long as it would have anyway."""
    current = state.rows[NODES.prefix][node]
    until_ms = context.time_ms + limits.TRANSACTION_LIFETIME_MS_MAX
    change_node(state, context, node, Node(public_key, True, current.public_key, until_ms))


def replace(state: State, context: Context, name: bytes, by: Replacement) -> None:
    """The emergency tier gives a member that lost its keys new ones; the old ones count no more: `STANDING_WRONG`,
    `NOT_A_MEMBER` (the account is another's), `KEY_NOT_ALLOWED`, `NODE_KEY_TAKEN`, `CONSENSUS_KEY_TAKEN`,
    `ROTATION_TOO_SOON` (the epoch has had its changes: nobody takes all nodes over at once). What is equal stays."""
    member = member_of(state, name)
    if member.standing not in ADMITTED:
        raise Rejected(AuthorityCode.STANDING_WRONG, "member")
    account = state.get(ACCOUNTS, by.account)
    if account is None or account.participant != name:
        raise Rejected(AuthorityCode.NOT_A_MEMBER, "account")
    epoch = epoch_of(state)
    if epoch.changes >= terms_of(state).epoch_changes:
        raise Rejected(AuthorityCode.ROTATION_TOO_SOON, "subject")
    state.put(EPOCH, THE_ONE, msgspec.structs.replace(epoch, changes=epoch.changes + 1))
    change_node(state, context, member.node, Node(by.node_key, True))
    open_node_account(state, member.node, by.node_key)
    if by.consensus_key != member.consensus_key:
        take_consensus_key(state, name, by.consensus_key)
        want_change(state, context)
    changed = msgspec.structs.replace(
        member, account=by.account, consensus_key=by.consensus_key, rotated_height=context.height
    )
    state.put(MEMBERS, name, changed)
