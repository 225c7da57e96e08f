"""What the organisations agree on before their chain begins. A TOML file, which everybody has.

begins = 2027-01-04T00:00:00+07:00   the time of block 0: no clock is looked at
scenario = "community-week"          whose zone, feeder, sky and tariff the market has
blocks = "normal"                    or "fast"
links = "tcp"                        or "quic"
fewer_seats = true                   only where seats of a group may stay empty

[tiers_min]                          how many of a tier there are at least; one, where it says nothing
[offices]                            OFFICE = NAME: who holds it
[distributors]                       ZONE = NAME: whose wires
[consortium]                         terms of the chain that differ from its defaults: seats, stake, epochs
"""

import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal, get_type_hints

import msgspec

from gridtokenx.engine.comet.toml import toml_document
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.limits import VALIDATORS_MAX
from gridtokenx.ledger.quantities import INTERVAL_MS, MICRO_PER_WATT
from gridtokenx.modules.authority.state import ConsortiumTerms
from gridtokenx.modules.authority.terms import DEFAULT_TERMS, check_terms
from gridtokenx.operations.consortium.organisation import TIERS, plain
from gridtokenx.operations.network.bundle import Profile
from gridtokenx.simulation.genesis import OFFICES, ZONES

FILE: Final = "terms.toml"
VALIDATORS_MIN: Final = 4
"""With fewer each has a third of the power: one alone could stop the chain."""

Count = Annotated[int, msgspec.Meta(ge=0, le=VALIDATORS_MAX)]


class TermsUnusable(Exception):
    """The terms do not fit. Says why."""


class CeremonyTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file. A tier of which `tiers_min` says nothing has at least one member, unless seats may stay empty."""

    begins: datetime
    scenario: str
    offices: dict[str, str]
    distributors: dict[str, str]
    blocks: Literal["normal", "fast"] = "normal"
    links: Literal["tcp", "quic"] = "tcp"
    fewer_seats: bool = False
    tiers_min: dict[str, Count] = {}
    consortium: dict[str, int | tuple[int, ...]] = {}

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be."""
        if self.begins.tzinfo is None:
            raise ValueError("`begins` needs its zone: write 2027-01-04T00:00:00+07:00")
        if self.begins_ms < INTERVAL_MS or self.begins_ms % INTERVAL_MS or self.begins.microsecond:
            raise ValueError(f"`begins` is {self.begins.isoformat()}: a chain begins on a quarter of an hour")
        for heading, names, known in (
            ("tiers_min", self.tiers_min, tuple(TIERS)),
            ("offices", self.offices, OFFICES),
            ("distributors", self.distributors, ZONES),
            ("consortium", self.consortium, ConsortiumTerms.__struct_fields__),
        ):
            if unknown := sorted(set(names) - set(known)):
                raise ValueError(f"[{heading}] names {unknown[0]}: it knows {', '.join(known)}")
        for heading, names, known in (("offices", self.offices, OFFICES), ("distributors", self.distributors, ZONES)):
            if missing := [each for each in known if each not in names]:
                raise ValueError(f"[{heading}] does not say who has {', '.join(missing)}")
        kinds = get_type_hints(ConsortiumTerms, include_extras=True)
        for name, value in self.consortium.items():
            try:
                msgspec.convert(value, kinds[name])
            except msgspec.ValidationError as error:
                raise ValueError(f"[consortium] {name} cannot be {value}: {error}") from None
        try:
            check_terms(self.chain_terms)
        except Rejected as rejection:
            raise ValueError(f"[consortium] {rejection.field} cannot be {self.consortium[rejection.field]}") from None

    @property
    def chain_terms(self) -> ConsortiumTerms:
        """What members may change by vote later."""
        values = msgspec.structs.asdict(DEFAULT_TERMS) | self.consortium
        return msgspec.convert(tuple(values.values()), ConsortiumTerms)

    @property
    def begins_ms(self) -> int:
        """The time of block 0."""
        return int(self.begins.timestamp()) * 1_000

    @property
    def stake_watt(self) -> int:
        """The least that a member puts in."""
        return -(-self.chain_terms.stake_micro // MICRO_PER_WATT)

    @property
    def profile(self) -> Profile:
        """What all nodes have to agree on."""
        return Profile(self.links, self.blocks)


def parse_terms(content: bytes) -> CeremonyTerms:
    """Raises `TermsUnusable`."""
    try:
        return msgspec.convert(tomllib.loads(content.decode("utf-8")), CeremonyTerms)
    except (ValueError, OverflowError, RecursionError) as error:
        raise TermsUnusable(f"these are no terms of a consortium: {plain(str(error))}") from None


def terms_document(terms: CeremonyTerms) -> bytes:
    """Terms as a file."""
    values = msgspec.structs.asdict(terms) | {"begins": terms.begins.isoformat()}
    tables = {name: values.pop(name) for name in ("tiers_min", "offices", "distributors", "consortium")}
    return toml_document({"": values, **tables}, "The terms of a consortium: docs/consortium.md says what they mean.")


def read_terms(file: Path) -> bytes:
    """The file's content, found to be terms. Raises `TermsUnusable` naming the file."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise TermsUnusable(f"{file} cannot be read: {error.strerror}") from None
    try:
        parse_terms(content)
    except TermsUnusable as error:
        raise TermsUnusable(f"{file}: {error}") from None
    return content
