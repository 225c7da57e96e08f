"""The light blocks that a client trusts: in memory, and in a file if they shall outlive the process.

The file is one record, replaced as a whole: after a power cut there is the old one or the new one.
"""

from bisect import bisect_left, insort
from pathlib import Path
from typing import Final

from gridtokenx.engine.comet.headers import LightBlock, check_light_block
from gridtokenx.engine.comet.light_errors import LightError, StoreUnusable
from gridtokenx.engine.folder import sync_folder, write_durably
from gridtokenx.ledger.codec import Decoder, Record, encode
from gridtokenx.ledger.errors import Rejected

BLOCKS_MAX: Final = 100
"""Few are needed: the newest to go on from, and some to look back from without asking for everything between."""
FILE_BYTES_MAX: Final = 16_777_216
FORMAT: Final = "gridtokenx-trusted-1"


class _Saved(Record, frozen=True):
    format: str
    chain: str
    blocks: tuple[LightBlock, ...]


_decode_saved: Decoder[_Saved] = Decoder(_Saved)


class LightStore:
    """Trusted blocks of one chain, by height. Whoever adds one has verified it."""

    def __init__(self, chain: str, file: Path | None = None, blocks_max: int = BLOCKS_MAX) -> None:
        """With a `file` what it holds is read, and each change is written to it. Raises StoreUnusable when it is of
        another chain, or is no such file."""
        self.chain = chain
        self.file = file
        self._blocks_max = max(1, blocks_max)
        self._blocks: dict[int, LightBlock] = {}
        self._heights: list[int] = []
        if file is not None and file.exists():
            for block in _read(file, chain):
                self._put(block)

    def __len__(self) -> int:
        return len(self._heights)

    def get(self, height: int) -> LightBlock | None:
        """The block of this height."""
        return self._blocks.get(height)

    def newest(self) -> LightBlock | None:
        """The highest."""
        return self._blocks[self._heights[-1]] if self._heights else None

    def below(self, height: int) -> LightBlock | None:
        """The highest that is lower than this."""
        place = bisect_left(self._heights, height)
        return self._blocks[self._heights[place - 1]] if place else None

    def above(self, height: int) -> LightBlock | None:
        """The lowest that is higher than this."""
        place = bisect_left(self._heights, height + 1)
        return self._blocks[self._heights[place]] if place < len(self._heights) else None

    def add(self, block: LightBlock) -> None:
        """Trust the block from now on; of too many the lowest are forgotten. Raises OSError when the file cannot be
        written."""
        self._put(block)
        if self.file is not None:
            _write(self.file, _Saved(FORMAT, self.chain, tuple(self._blocks[height] for height in self._heights)))

    def _put(self, block: LightBlock) -> None:
        if block.height not in self._blocks:
            insort(self._heights, block.height)
        self._blocks[block.height] = block
        while len(self._heights) > self._blocks_max:
            # Never the one just added: whoever asked for it may build on it at once.
            lowest = self._heights[1] if self._heights[0] == block.height else self._heights[0]
            self._heights.remove(lowest)
            del self._blocks[lowest]


def _read(file: Path, chain: str) -> tuple[LightBlock, ...]:
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise StoreUnusable(f"{file} has more than {FILE_BYTES_MAX} bytes")
        saved = _decode_saved(file.read_bytes())
        if saved.format != FORMAT or saved.chain != chain:
            raise StoreUnusable(f"{file} holds trusted blocks of the chain {saved.chain!r}, not of {chain!r}")
        for block in saved.blocks:
            check_light_block(block, chain)
    except Rejected as rejection:
        raise StoreUnusable(f"{file} holds no trusted blocks: {rejection.field}") from None
    except StoreUnusable:
        raise
    except (LightError, OSError) as error:
        raise StoreUnusable(f"{file} cannot be used: {error}") from error
    return saved.blocks


def _write(file: Path, saved: _Saved) -> None:
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    write_durably(fresh, encode(saved))
    fresh.replace(file)
    sync_folder(file.parent)
