"""Scripts for Node that stand in tests: run to their end, or spoken with line by line."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
SECONDS_MAX = 120


def run(node: list[str], script: str, *arguments: str, given: Any = None) -> Any:
    """What the script prints, read as JSON; it finds `given` on its standard input."""
    done = subprocess.run(
        [*node, str(FOLDER / script), *arguments],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@contextlib.contextmanager
def lines_of(node: list[str], script: str, *arguments: str) -> Iterator[Iterator[Any]]:
    """The lines of JSON that the script prints, as they come; it is ended when they are no longer wanted."""
    process = subprocess.Popen([*node, str(FOLDER / script), *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield map(json.loads, process.stdout)
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
