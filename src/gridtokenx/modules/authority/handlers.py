"""The rules of the authorities, and the card of their house.

- `powers`: which tier may do what, as one table
- `members`: the way in and out, and members' keys
- `proposals`: what is decided together
- `seats`: how the validator set follows, within its caps
- `reputation`: what follows from how nodes do
- `misdeeds`: what follows from what is proved
- `nodes`: nodes and validators themselves
"""

from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.module import Handler, Module
from gridtokenx.modules.authority.members import apply, attest, endorse, return_stake, rotate_key, withdraw
from gridtokenx.modules.authority.messages import (
    Apply,
    Attest,
    AuthorityCode,
    Endorse,
    Observed,
    Propose,
    ReportBatch,
    RotateKey,
    SetNode,
    SetValidator,
    Vote,
    Withdraw,
)
from gridtokenx.modules.authority.misdeeds import (
    forget_former_key,
    forget_misdeed,
    note_misbehaviour,
    report_batch,
    take_penalty,
)
from gridtokenx.modules.authority.nodes import set_node, set_validator
from gridtokenx.modules.authority.proposals import close_proposal, forget_proposal, propose, vote
from gridtokenx.modules.authority.reputation import forget_service_day, note_agreement, observe
from gridtokenx.modules.authority.seats import reconcile
from gridtokenx.modules.authority.state import (
    BALLOTS,
    CHECKPOINTS,
    CLOSE_PROPOSAL,
    CONDUCT,
    CONSORTIUM_TERMS,
    EPOCH,
    FORGET_FORMER_KEY,
    FORGET_MISDEED,
    FORGET_PROPOSAL,
    FORGET_SERVICE_DAY,
    FORMER_KEYS,
    KEY_OWNERS,
    MEMBERS,
    MISDEEDS,
    PENALTIES,
    PROPOSAL_COUNT,
    PROPOSALS,
    RECONCILE_SEATS,
    RETURN_STAKE,
    SERVICE_DAYS,
    TAKE_PENALTY,
    invariants,
)

_HANDLERS: dict[type[Message], Handler] = {
    SetNode: set_node,
    SetValidator: set_validator,
    ReportBatch: report_batch,
    Apply: apply,
    Attest: attest,
    Endorse: endorse,
    Observed: observe,
    Propose: propose,
    Vote: vote,
    RotateKey: rotate_key,
    Withdraw: withdraw,
}

MODULE = Module(
    name="authority",
    codes=AuthorityCode,
    tables=(
        FORMER_KEYS,
        MISDEEDS,
        MEMBERS,
        KEY_OWNERS,
        PROPOSALS,
        BALLOTS,
        CONSORTIUM_TERMS,
        CONDUCT,
        EPOCH,
        CHECKPOINTS,
        PENALTIES,
        SERVICE_DAYS,
        PROPOSAL_COUNT,
    ),
    handlers=_HANDLERS,
    scheduled={
        FORGET_FORMER_KEY: forget_former_key,
        FORGET_MISDEED: forget_misdeed,
        CLOSE_PROPOSAL: close_proposal,
        FORGET_PROPOSAL: forget_proposal,
        RECONCILE_SEATS: reconcile,
        TAKE_PENALTY: take_penalty,
        RETURN_STAKE: return_stake,
        FORGET_SERVICE_DAY: forget_service_day,
    },
    urgent=frozenset(_HANDLERS),
    while_frozen=frozenset({Propose, Vote, Observed, ReportBatch}),
    misbehaviour=note_misbehaviour,
    commit=note_agreement,
    invariants=invariants,
)
