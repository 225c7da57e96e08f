"""What travels by HTTP about those who run the chain: members, proposals, and how the chain served.

The same rules as in `documents`, whose kinds these extend. Shares are in millionths (`_ppm`), rounded down. Members are
named by their participants, nodes by their ids, both in hexadecimal.
"""

from gridtokenx.gateway.documents import Document


class TermsOfConsortium(Document):
    """What the members decided about themselves. `group_seats`: of grid, trade, finance, regulation, technology;
    `zone_seats`: at most so many seats in one zone; `epoch_changes`: seats that change in one epoch."""

    seat_power: int
    seats_min: int
    seats_max: int
    group_seats: list[int]
    zone_seats: int
    epoch_blocks: int
    epoch_changes: int
    checkpoint_blocks: int
    observed_blocks: int
    endorsements: int
    stake_micro: int
    slash_ppm: int
    appeal_ms: int
    vote_ms: int
    demote_below_ppm: int
    promote_from_ppm: int


class EpochView(Document):
    """The running epoch, up to and with `to_height`. `doubtful` blocks: so much of the power was away that nobody can
    say who; `in_doubt`: so many of them that the epoch, if it ended now, would change no reputation."""

    number: int
    from_height: int
    to_height: int
    changes: int
    doubtful: int
    in_doubt: bool


class ConductView(Document):
    """How a member's node voted: of so many blocks, `absent` votes and `missed` turns to propose. `available_ppm` =
    1 - absent / blocks; null while nothing is counted."""

    blocks: int
    absent: int
    missed: int
    available_ppm: int | None


class NamedMember(Document):
    """A member, and what it is called; an empty name for one that is forgotten."""

    member: str
    name: str


class PenaltyView(Document):
    """What a member loses then, unless it is reinstated before."""

    amount_micro: int
    due_ms: int


class MemberView(Document):
    """An organisation of the consortium, or one that asks to be. `group`: grid, trade, finance, regulation,
    technology; `tier`: primary, secondary, technical, emergency; `standing`: candidate, reserve, seated, suspended,
    left. `power` is that of its key in consensus now: a change of standing becomes one of the power as soon as the caps
    allow. `epoch` is its conduct in the running epoch, `total` in all that are counted; `bad` batches and
    `checkpoints` named are those of the running epoch. `observed_blocks`: how long it follows without a gap.
    `misdeeds` counts what is proved against its node and not forgotten."""

    member: str
    name: str
    tax_id: str
    group: str
    tier: str
    zone: int
    standing: str
    since_ms: int
    account: str
    node: str
    licensed: bool
    consensus_key: str
    power: int
    reputation_ppm: int
    epoch: ConductView
    total: ConductView
    bad: int
    checkpoints: int
    observed_blocks: int
    stake_micro: int
    penalty: PenaltyView | None
    misdeeds: int
    attested_by: list[NamedMember]
    endorsed_by: list[NamedMember]


class MisdeedView(Document):
    """What was proved: `duplicate_vote`, `light_client_attack` (consensus found these, `reporter` is null) or
    `bad_batch`. `height` is where it happened; of a batch, where it was reported."""

    kind: str
    height: int
    reported_ms: int
    reporter: str | None


class MemberDetail(MemberView):
    """One member whole: hashes of its documents, and the newest that is proved against its node, newest first."""

    height: int
    time_ms: int
    documents: list[str]
    proved: list[MisdeedView]


class ValidatorView(Document):
    """A key that votes in consensus now; `member` is null where no member owns it."""

    address: str
    public_key: str
    power: int
    node: str
    member: NamedMember | None


class NodeView(Document):
    """A node that the chain knows, and whether it may sign batches."""

    node: str
    public_key: str
    licensed: bool
    member: NamedMember | None


class PowerView(Document):
    """One line of the table of powers: which tiers do the act or propose it, and, of what is voted on, which tiers vote
    and what share of them must say yes (`share_of` parts of `share_in`, or `more_than` these). `while_frozen`: also
    while the market is stopped. `act`: attest, endorse (said alone: no voters), or what is proposed."""

    act: str
    tiers: list[str]
    voters: list[str]
    share_of: int | None
    share_in: int | None
    more_than: bool
    while_frozen: bool


class Authorities(Document):
    """Who runs the chain. Without a consortium (`consortium` is false) an office sets nodes and validators: then there
    are no terms, no epoch, no members and no powers. `frozen_since_ms`: the market is stopped since then."""

    height: int
    time_ms: int
    consortium: bool
    frozen_since_ms: int | None
    terms: TermsOfConsortium | None
    epoch: EpochView | None
    members: list[MemberView]
    powers: list[PowerView]
    validators: list[ValidatorView]
    nodes: list[NodeView]


class VoteView(Document):
    """A member's vote. `counts`: it has a say now, and the account that voted still speaks for it."""

    member: str
    name: str
    yes: bool
    counts: bool


class LicenceView(Document):
    """The value of a proposal `license`."""

    public_key: str
    licensed: bool


class ReplacementView(Document):
    """The value of a proposal `replace`: who speaks for the member from then on, and its keys."""

    account: str
    node_key: str
    consensus_key: str


class ProposalView(Document):
    """`act`: admit, remove, reinstate, set_terms, license, freeze, resume, replace. `subject` is a member, of `license`
    a node, else empty; `subject_name` the member's name, if it is known. `outcome`: open, carried, lost, or failed
    (carried, and could not be done: `code` and `code_name` say why). While it is open, `needed` of `voters` must say
    yes; null once it is decided. `closes_ms` is null while a freeze puts the end off. `yes` and `no` are the votes that
    count while it is open, and all of them after."""

    number: int
    act: str
    subject: str
    subject_name: str
    terms: TermsOfConsortium | None
    licence: LicenceView | None
    replacement: ReplacementView | None
    proposer: NamedMember
    opened_ms: int
    closes_ms: int | None
    outcome: str
    code: int
    code_name: str
    needed: int | None
    voters: int | None
    yes: int
    no: int
    votes: list[VoteView]


class Proposals(Document):
    """Newest first. `next` is the `before` of the following page, 0 when there is none."""

    height: int
    time_ms: int
    proposals: list[ProposalView]
    next: int


class Service(Document):
    """How the chain served: time that blocks cover, blocks, late ones, what was lost by those, rounds in which no block
    was agreed. `available_ppm` = 1 - lost / elapsed; null while no time is covered."""

    elapsed_ms: int
    blocks: int
    late: int
    lost_ms: int
    rounds: int
    available_ppm: int | None


class ServiceDayView(Service):
    """One day (UTC): days since the epoch, and as YYYY-MM-DD."""

    day: int
    date: str


class Availability(Document):
    """The network against its goal, `target_ppm`. `total` is over all days that the chain remembers, `days` are rising;
    `next` is the `before` of the page of earlier days, 0 when there is none. Empty where one node alone makes the
    blocks, since nobody else waits for it."""

    height: int
    time_ms: int
    target_ppm: int
    total: Service
    days: list[ServiceDayView]
    next: int
