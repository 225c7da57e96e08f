"""How a node joins a chain that others have run for long: whom it asks, and what its operator trusts."""

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from gridtokenx.engine.comet.home import StateSync
from gridtokenx.engine.comet.toml import toml_document
from gridtokenx.engine.folder import DataFolder, FolderUnusable, write_durably

FILE = "join.toml"


class JoinFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`gateways`: URLs of two or more nodes of different owners. `height` and `block_hash` (64 hex digits): a block
    that the operator believes in."""

    gateways: Annotated[tuple[str, ...], msgspec.Meta(min_length=2)]
    height: Annotated[int, msgspec.Meta(ge=1)]
    block_hash: Annotated[str, msgspec.Meta(pattern="^[0-9A-Fa-f]{64}$")]

    @property
    def sockets(self) -> list[str]:
        """Where a witness answers for each gateway, from the data folder on."""
        return [f"run/witness-{number}.sock" for number in range(1, len(self.gateways) + 1)]

    def state_sync(self) -> StateSync:
        """How CometBFT is told."""
        return StateSync(tuple(f"unix://{socket}" for socket in self.sockets), self.height, self.block_hash)


def write_join_file(data: Path, join: JoinFile) -> None:
    """Beside the node's card, in the place of an earlier one."""
    (data / FILE).unlink(missing_ok=True)
    write_durably(data / FILE, toml_document({"": msgspec.structs.asdict(join)}, "How this node joins its network."))


def read_join_file(data: Path) -> JoinFile | None:
    """None for a node that was there from the beginning, or has its state. Raises `FolderUnusable`."""
    file, folder = data / FILE, DataFolder(data)
    if not file.exists() or folder.beginning.exists():
        return None
    try:
        return msgspec.convert(tomllib.loads(file.read_text()), JoinFile)
    except (ValueError, OSError) as error:
        raise FolderUnusable(f"{file}: {error}") from None
