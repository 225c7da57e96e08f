"""Makes the fixture chain importable, here and in the processes that tests start."""

import sys
from pathlib import Path

FIXTURES = Path(__file__).parents[1] / "fixtures"

if str(FIXTURES) not in sys.path:
    sys.path.insert(0, str(FIXTURES))
