"""What tests of reports share."""

from pathlib import Path

SCENARIOS = Path(__file__).parents[4] / "scenarios"
TEMPLATE = (
    '<!doctype html><p>start</p><script type="application/json" id="report">__GRIDTOKENX_REPORT__</script><p>end</p>'
)
