"""JSON of portfolios with members: what aggregators offer, one's own portfolios, and how results were split."""

from gridtokenx.gateway.documents import Document


class SplitRuleView(Document):
    """`kind`: by what it is shared (`metered`: import and export, `export`, `equal`). Of a gain the aggregator keeps
    `commission_ppm`, of a loss it bears `loss_ppm`."""

    kind: str
    commission_ppm: int
    loss_ppm: int


class Aggregator(Document):
    """A portfolio that sites on its feeder can join. `members` counts those of the last day that has a roster."""

    portfolio: str
    feeder: int
    zone: int
    rule: SplitRuleView
    members: int


class Aggregators(Document):
    """All of them, in the order of their names; `first_interval`: from when on somebody who is taken in now is a
    member, or one who leaves now is none."""

    height: int
    first_interval: int
    aggregators: list[Aggregator]


class MembershipView(Document):
    """`state`: `asked` (the aggregator has not answered), or `member` from `first` on, until `until` (0: no end is
    known). `member` is the site's own portfolio."""

    member: str
    portfolio: str
    state: str
    first: int
    until: int


class RosterView(Document):
    """What a portfolio's members can do together from `first` on, until the next roster. Powers in W; `export_w` by
    source."""

    first: int
    members: int
    import_w: int
    export_w: list[int]


class OwnPortfolio(Document):
    """One's own portfolio. Powers are those of its site; of one with members `rosters` has them. `memberships`: of a
    site its own, of a portfolio with members all of its members'."""

    portfolio: str
    feeder: int
    has_site: bool
    import_w: int
    export_w: list[int]
    rule: SplitRuleView | None
    rosters: list[RosterView]
    memberships: list[MembershipView]


class OwnPortfolios(Document):
    """In the order of their names."""

    height: int
    portfolios: list[OwnPortfolio]


class SplitView(Document):
    """How an interval was split, for one whose portfolio it is or who is a member. The portfolio's `gain_micro` (below
    zero: its loss) beyond the members' old bills; the aggregator's `commission_micro` and the members' `shared_micro`
    have its sign. `member` is one's own site, empty for the aggregator: its `weight` of `weights` in all gives
    `share_micro`; `old_bill_micro` is what it owes without the market (all members' of the aggregator's line)."""

    interval: int
    portfolio: str
    member: str
    gain_micro: int
    commission_micro: int
    shared_micro: int
    weights: int
    weight: int
    old_bill_micro: int
    share_micro: int


class SplitsOfAccount(Document):
    """Rising intervals that are not final yet; statements have the results for longer. `next`: the `after` of the
    following page, 0 when there is none."""

    height: int
    splits: list[SplitView]
    next: int
