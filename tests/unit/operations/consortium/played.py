"""A consortium that was played once, for all tests of the ceremony."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import Keystore
from gridtokenx.operations.consortium.example import KEYS, NODE, play
from gridtokenx.operations.consortium.node_keys import node_keys
from gridtokenx.operations.consortium.organisation import Organisation, parse_organisation
from gridtokenx.operations.consortium.terms import FILE, CeremonyTerms, parse_terms

ROOT = Path(__file__).parents[4]
THAILAND = ROOT / "consortia" / "thailand"
SCENARIO = ROOT / "scenarios" / "two-neighbours"
CHAIN = "gridtokenx-thailand"
FOUR = ("mea", "egat", "provincial-1", "producer-3")
"""In four zones."""


_FOLDERS: list[TemporaryDirectory[str]] = []
"""Until the tests are over."""


class Played(NamedTuple):
    """All organisations of the example, with their keys."""

    folder: Path
    organisations: dict[str, Organisation]
    keys: dict[str, list[PrivateKey]]
    terms: CeremonyTerms
    terms_content: bytes

    def contents(self, changed: Mapping[str, Organisation | None] = MappingProxyType({})) -> list[tuple[str, bytes]]:
        """The files, with some replaced or left out (None)."""
        chosen = {**self.organisations, **changed}
        return [(name, each.toml()) for name, each in chosen.items() if each is not None]

    def signed(self, name: str, signers: Iterable[PrivateKey] | None = None, /, **changes: Any) -> Organisation:
        """An organisation that says something else, signed by all its keys, or by these."""
        description = msgspec.structs.replace(self.organisations[name].description, **changes)
        return Organisation(description, {}).signed_with(self.keys[name] if signers is None else signers)

    def with_node(self, name: str, /, **changes: Any) -> Organisation:
        """With another card; signed by those keys of its own that are still in it."""
        node = msgspec.structs.replace(self.organisations[name].description.node, **changes)
        description = msgspec.structs.replace(self.organisations[name].description, node=node)
        own = {*description.officers, *description.node_keys.values()}
        signers = [key for each in self.keys.values() for key in each if key.public_key in own]
        return Organisation(description, {}).signed_with(signers)


@cache
def played(*only: str) -> Played:
    """The shipped consortium, or only these of its members."""
    _FOLDERS.append(TemporaryDirectory())
    folder = Path(_FOLDERS[-1].name) / "played"
    files = play(THAILAND, folder, CHAIN, only)
    organisations, keys = {}, {}
    for file in files:
        name = file.parent.name
        organisations[name] = parse_organisation(file.read_bytes())
        keystore = Keystore(file.parent / KEYS)
        keys[name] = [*map(keystore.open, keystore.names()), *node_keys(file.parent / NODE)]
    content = (folder / FILE).read_bytes()
    return Played(folder, organisations, keys, parse_terms(content), content)
