"""What a simulated community achieved: bills with and without the market, energy, money, and whether it adds up.

Figures of the market come from the ledger's own blocks (statements, trades, receipts) and accounts; figures without a
market from the recorded rows with the same batteries run for own use alone.

- `recorder` notes what a run leaves behind; `without` plays the same homes without a market;
- `anatomy` takes bills apart; `make` puts the figures (`figures`) together and checks each sum by a second way;
- `series` has the figures by interval, day and hour, `forecasts` how wrong the forecasts were;
- `study` adds the planner, and `folder` writes all of it for people: a page, JSON and CSV.
"""

from gridtokenx.simulation.report.figures import Check, HomeReport, Party, Report
from gridtokenx.simulation.report.make import RunRecord, make_report
from gridtokenx.simulation.report.recorder import Recorder, balances_micro, invariant_breaches
from gridtokenx.simulation.report.without import WithoutMarket

__all__ = [
    "Check",
    "HomeReport",
    "Party",
    "Recorder",
    "Report",
    "RunRecord",
    "WithoutMarket",
    "balances_micro",
    "invariant_breaches",
    "make_report",
]
