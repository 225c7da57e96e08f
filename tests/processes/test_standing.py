"""A household's agent as a process beside a real market: killed again and again, it places nothing twice."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.processes.processes import Process, free_port, gateway_process, node_process
from tests.unit.gateway.market import NODE_SEED, founding, wallet_of
from tests.world import pseudonym, sell

from gridtokenx.client.client import Client
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import Keystore
from gridtokenx.client.standing.memory import Became, Written, last_look, read_journal
from gridtokenx.engine.folder import create_data_folder

pytestmark = pytest.mark.slow

SPEED = 2
"""All rounds are first rounds: nothing waits for the next minute, and gates stay far."""
DAILY_WH = 96 * 200
INSTRUCTIONS = f"""
[[buy]]
name = "always"
energy = "{DAILY_WH}Wh"
price = "2.80"
"""
COMMAND = "import sys; sys.stdout = sys.stderr; from gridtokenx.cli.main import app; app()"


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    data, port = tmp_path / "data", free_port()
    create_data_folder(data, founding().builder.finish(), NODE_SEED)
    with node_process(data, SPEED), gateway_process(data, port):
        yield f"http://127.0.0.1:{port}"


def agent(folder: Path, url: str, *options: str) -> Process:
    words = ["agent", "run", str(folder / "home.toml"), "--key", "bob", "--keys", str(folder / "keys"), "--url", url]
    return Process([sys.executable, "-c", COMMAND, *words, *options])


def test_an_agent_that_is_killed_at_any_moment_places_each_order_once(url: str, tmp_path: Path) -> None:
    (tmp_path / "home.toml").write_text(INSTRUCTIONS, encoding="utf-8")
    Keystore(tmp_path / "keys").add_development_key("bob", PrivateKey(sha256(b"bob/0").digest()))
    with closing(Client(url)) as client:
        numbers = [view.interval for view in client.intervals().intervals if view.phase == "trading"][2:]
        offers = [
            replace(sell("ann", 150, number, 2_400_000), client_id=number.to_bytes(8, "big")) for number in numbers
        ]
        for first in range(0, len(offers), 60):
            client.execute(wallet_of("ann"), *offers[first : first + 60])
        for placed in (0, 1, 7, 40):
            process = agent(tmp_path, url)
            process.wait_for("follows")
            for _ in range(placed):
                process.wait_for("placed")
            process.end()
        now_ms = client.status().time_ms
        last = agent(tmp_path, url)
        while (last_look(tmp_path / "home.memory") or 0) < now_ms:
            assert last.process.poll() is None, last.lines
        assert last.stop() == 0
        last.end()
        # Those without an offer may have their gate meanwhile.
        found = client.positions(wallet_of("bob"), limit=1_000).positions
        positions = [one for one in found if one.interval in numbers]
    bought_wh = {one.interval: one.bought_wh + one.open_buy_wh for one in positions}
    assert len(bought_wh) > 60 and set(bought_wh.values()) == {DAILY_WH // 96}
    entries = read_journal(tmp_path / "home.memory")
    written = {entry.id: entry for entry in entries if isinstance(entry, Written)}
    good = [one for one in entries if isinstance(one, Became) and written[one.id].interval in numbers]
    taken = [written[one.id] for one in good if not one.code and not one.expired]
    assert max(Counter(one.interval for one in taken).values()) == 1
    assert {one.interval for one in taken} == set(bought_wh)
    assert sum(one.filled_wh for one in good) == 150 * len(bought_wh)
    assert pseudonym("bob").hex() == next(iter(positions)).portfolio
