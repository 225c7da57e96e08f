"""`gridtokenx top`: the market, live in a terminal."""

import contextlib
import re
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer
from rich.align import Align
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from gridtokenx.cli.console import HINTS, folder_failures
from gridtokenx.cli.options import DEFAULT_DATA, DEFAULT_PORT, Data, Port

if TYPE_CHECKING:
    from gridtokenx.cli.top_data import MarketSource
    from gridtokenx.cli.top_view import ProcessLine

FRAME_S = 0.5
FONTS_FROM_OUTSIDE = re.compile(r"@font-face \{[^}]*\}")
"""A picture needs no other host: the viewer's own monospaced font will do."""

NEWS_S = 10.0
"""How long a sentence about the processes stays on the screen."""


def top(
    data: Data = DEFAULT_DATA,
    port: Port = DEFAULT_PORT,
    once: Annotated[bool, typer.Option("--once", help="Print one frame and end.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Write one frame as an SVG picture and end.")] = None,
) -> None:
    """Show a running market live: book, prices against the tariff, trades, savings, blocks. Ctrl-C ends it."""
    from gridtokenx.cli.top_data import MarketSource

    console = Console() if picture is None else Console(record=True, file=StringIO(), width=132, height=42)
    with folder_failures():
        source = MarketSource(port, data)
    screen = Screen(console, source, list)
    with contextlib.closing(source):
        if once or picture:
            screen.refresh(force=True)
            console.print(screen.drawn, height=console.height, end="")
            if picture:
                svg = console.export_svg(title="gridtokenx top")
                with folder_failures():
                    picture.write_text(FONTS_FROM_OUTSIDE.sub("", svg), encoding="utf-8")
            raise typer.Exit(0 if screen.is_good else 1)
        with contextlib.suppress(KeyboardInterrupt), screen:
            while True:
                screen.refresh()
                time.sleep(FRAME_S / 5)


class Screen:
    """The live view on a whole terminal."""

    def __init__(self, console: Console, source: "MarketSource", processes: "Callable[[], list[ProcessLine]]") -> None:
        self._console, self._source, self._processes = console, source, processes
        self._live = Live(console=console, screen=True, auto_refresh=False)
        self._news, self._news_s, self._drawn_s = "", float("-inf"), float("-inf")
        self.drawn: RenderableType = Text()
        self.is_good = False

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, sentence: str) -> None:
        """On the last line, for some seconds."""
        self._news, self._news_s = sentence, time.monotonic()

    def refresh(self, force: bool = False) -> None:
        """Draw a new frame twice a second."""
        now_s = time.monotonic()
        if not force and now_s - self._drawn_s < FRAME_S:
            return
        self._drawn_s = now_s
        news = self._news if now_s - self._news_s < NEWS_S else ""
        self.drawn, self.is_good = self._draw(news)
        if self._live.is_started:
            self._live.update(self.drawn, refresh=True)

    def _draw(self, news: str) -> tuple[RenderableType, bool]:
        from gridtokenx.cli.top_view import frame
        from gridtokenx.client.errors import ClientError

        try:
            snapshot = self._source.take()
        except ClientError as error:
            advice = "" if self._processes() else HINTS.get(error.name, "")
            return self._waiting(news or f"{error}\n{advice}"), False
        snapshot.processes, snapshot.news = self._processes(), news
        return frame(snapshot, self._console.width, self._console.height), True

    def _waiting(self, sentence: str) -> RenderableType:
        text = Text("⚡ GridTokenX\n\n", "bold yellow1", justify="center")
        for process in self._processes():
            text.append(f"{process.name}: {process.state}\n", "default")
        text.append(f"\n{sentence}", "grey50")
        return Align.center(text, vertical="middle", height=self._console.height)


def api_is_ready(port: int) -> bool:
    """Whether a gateway answers on this machine and can do its work."""
    import httpx

    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=1.0).status_code == 200
    except httpx.TransportError:
        return False


class Lines:
    """Where there is no terminal: a line every few seconds."""

    EVERY_S = 3.0

    def __init__(self, console: Console, source: "MarketSource") -> None:
        self._console, self._source = console, source
        self._printed_s = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to give back."""

    def say(self, sentence: str) -> None:
        """At once."""
        self._console.print(sentence, highlight=False, soft_wrap=True)

    def refresh(self) -> None:
        """The status line, when it is time."""
        from gridtokenx.cli.values import bangkok
        from gridtokenx.client.errors import ClientError

        now_s = time.monotonic()
        if now_s - self._printed_s < self.EVERY_S:
            return
        self._printed_s = now_s
        try:
            snapshot = self._source.take()
        except ClientError as error:
            self._console.print(f"waiting: {error}", highlight=False)
            return
        status = snapshot.status
        traded_wh = sum(interval.traded_wh for interval in (*snapshot.past, *snapshot.intervals))
        saved_micro = sum(home.saved_micro for home in snapshot.homes)
        self._console.print(
            f"{bangkok(status.time_ms, '%a %d %b %H:%M')}  block {status.height:,}  {status.orders_open} open orders  "
            f"{traded_wh / 1_000:,.1f} kWh traded  {saved_micro / 1e6:+,.2f} WATT saved",
            highlight=False,
            soft_wrap=True,
        )


def display_for(
    console: Console, source: "MarketSource", processes: "Callable[[], list[ProcessLine]]"
) -> "Screen | Lines":
    """The live view on a terminal, lines elsewhere."""
    return Screen(console, source, processes) if console.is_terminal else Lines(console, source)
