"""Every bench still runs: its quick figures come, with the line that tools read at the end."""

import json
import subprocess
import sys

import pytest

from gridtokenx.cli.bench import Benchmark

COMMAND = (sys.executable, "-c", "from gridtokenx.cli.main import app; app()")
SECONDS_MAX = 600


@pytest.mark.soak
@pytest.mark.parametrize("name", [one.value for one in Benchmark if one is not Benchmark.ALL])
def test_the_quick_figures_come(name: str) -> None:
    command = [*COMMAND, "bench", name, "--quick"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert json.loads(ended.stdout.splitlines()[-1])
