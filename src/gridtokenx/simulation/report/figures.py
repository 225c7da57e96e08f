"""The figures of a run. Money in millionths of a WATT, energy in Wh, prices in millionths of a WATT per kWh, shares in
per mille rounded down; every one an integer."""

import msgspec


class HomeReport(msgspec.Struct, frozen=True):
    """One site. Bills without VAT and service charge; negative means it earned. What its battery holds in the end
    belongs to a fair comparison. The parts of the bill are those of `anatomy.BillParts`:

    bill with = purchases + wheeling + grid fee + trading fee + supplied + undelivered - sales - returned - unused,
    bill without = import without - export without.

    VAT is on what is paid, not on what is earned, day by day, rounded down; no WATT moves for it.
    """

    name: str
    bill_without_micro: int
    bill_with_micro: int
    saved_micro: int
    import_wh: int
    export_wh: int
    sold_wh: int
    bought_wh: int
    undelivered_wh: int
    unused_wh: int
    debt_micro: int
    stored_wh: int
    stored_without_wh: int
    participant: str
    load_wh: int
    pv_wh: int
    import_without_wh: int
    export_without_wh: int
    purchases_micro: int
    wheeling_micro: int
    grid_fee_micro: int
    trading_fee_micro: int
    supplied_micro: int
    undelivered_micro: int
    sales_micro: int
    returned_micro: int
    unused_micro: int
    import_without_micro: int
    export_without_micro: int
    vat_micro: int
    vat_without_micro: int
    saved_with_vat_micro: int


class Party(msgspec.Struct, frozen=True):
    """Somebody money comes to or goes from, over the whole run: what it earned (negative: paid) without the market and
    with it. The changes of all parties sum to zero."""

    name: str
    without_micro: int
    with_micro: int
    change_micro: int


class Check(msgspec.Struct, frozen=True):
    """Two ways to the same number. `name` says which; they agree or the run has a breach."""

    name: str
    expected: int
    found: int


class Report(msgspec.Struct, frozen=True):
    """The whole community. `balance_changes_micro` sums to zero; shares are per mille.

    `own_use`: of the PV energy, what did not leave the community's feeder (battery losses included);
    `self_sufficiency`: of the load, what did not come over the feeder's head; `without` is the same with batteries
    run for each home alone. `sold`: of what sites exported, what neighbours had bought.
    """

    scenario: str
    chain: str
    seed: int
    first_interval: int
    intervals: int
    homes: tuple[HomeReport, ...]
    losers: tuple[str, ...]
    saved_micro: int
    trades: int
    traded_wh: int
    traded_micro: int
    average_price_micro: int
    own_use_permille: int
    own_use_without_permille: int
    sold_permille: int
    imbalance_wh: int
    arrears_micro: int
    balance_changes_micro: dict[str, int]
    refused: dict[str, int]
    alarms: tuple[str, ...]
    breaches: tuple[str, ...]
    app_hash: str
    blocks: int
    transactions: int
    losers_with_vat: tuple[str, ...]
    saved_with_vat_micro: int
    vat_micro: int
    vat_without_micro: int
    parties: tuple[Party, ...]
    checks: tuple[Check, ...]
    self_sufficiency_permille: int
    self_sufficiency_without_permille: int
    load_wh: int
    pv_wh: int
