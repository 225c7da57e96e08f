"""What has to be true of the organisations' files before a chain begins with them: all problems at once."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gridtokenx.client.errors import SigningError
from gridtokenx.client.transactions import KeyList
from gridtokenx.ledger.errors import Rejected
from gridtokenx.modules.authority.taxid import is_tax_id
from gridtokenx.modules.identity.handlers import refuse_weak_key
from gridtokenx.operations.consortium.organisation import (
    GROUPS,
    TIERS,
    Description,
    Organisation,
    OrganisationUnusable,
    parse_organisation,
)
from gridtokenx.operations.consortium.terms import VALIDATORS_MIN, CeremonyTerms
from gridtokenx.simulation.genesis import ZONES


class Problem(NamedTuple):
    """In which file (or "" for all of them together), and what, in a sentence."""

    file: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.file}: {self.sentence}" if self.file else self.sentence


class Entry(NamedTuple):
    """A file and what it says."""

    file: str
    organisation: Organisation


class Findings(NamedTuple):
    """Who can be read, and what is wrong with the whole."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]


def check_files(
    contents: Iterable[tuple[str, bytes]], terms: CeremonyTerms | None = None, chain: str = "", *, offices: bool = True
) -> Findings:
    """Of (file, content): each by itself, all against each other, and, with terms, against these (`offices`: whether
    members hold them). In the order of names, whatever the order of the files. Without `chain` the first file says for
    which they were signed."""
    entries: list[Entry] = []
    problems: list[Problem] = []
    for file, content in contents:
        try:
            entries.append(Entry(file, parse_organisation(content)))
        except OrganisationUnusable as error:
            problems.append(Problem(file, str(error)))
    entries.sort(key=lambda entry: (entry.organisation.description.name, entry.file))
    problems.sort()
    for entry in entries:
        problems += [Problem(entry.file, sentence) for sentence in faults(entry.organisation)]
    problems += doubles(entries)
    problems += _strangers(entries, chain)
    if terms is not None:
        problems += misfits(entries, terms, offices=offices)
    return Findings(tuple(entries), tuple(problems))


def read_files(files: Iterable[Path]) -> tuple[list[tuple[str, bytes]], list[Problem]]:
    """Contents, and which files cannot be read."""
    contents, problems = [], []
    for file in files:
        try:
            contents.append((str(file), file.read_bytes()))
        except OSError as error:
            problems.append(Problem(str(file), f"it cannot be read: {error.strerror}"))
    return contents, problems


def faults(organisation: Organisation) -> Iterator[str]:
    """What is wrong with one file."""
    description = organisation.description
    if not is_tax_id(description.tax_id):
        yield f"{description.tax_id} is no tax id: 13 digits, the last of which follows from the others"
    for what, said, known in (
        ("group", description.group, tuple(GROUPS)),
        ("tier", description.tier, tuple(TIERS)),
        ("zone", description.zone, ZONES),
    ):
        if said not in known:
            yield f"{said} is no {what}: write {', '.join(known)}"
    if not description.node.votes:
        yield f"its node is of the kind {description.node.kind}: the one that a member names votes, a validator"
    yield from _key_faults(description)
    yield from _signature_faults(organisation)


def _key_faults(description: Description) -> Iterator[str]:
    try:
        KeyList(description.officers, description.threshold)
    except SigningError as error:
        yield f"its officers cannot open an account: {error.detail}"
    for key in sorted({*description.officers, *description.node_keys.values()}):
        try:
            refuse_weak_key(key)
        except Rejected:
            yield f"anybody can sign with the key {key.hex()}: make another"


def _signature_faults(organisation: Organisation) -> Iterator[str]:
    description = organisation.description
    signed = [key for key in description.officers if organisation.has_signed(key)]
    if len(set(signed)) < description.threshold:
        yield (
            f"{len(set(signed))} of {description.threshold} officers have signed what it says: "
            "`gridtokenx consortium sign FILE --key NAME` adds a signature"
        )
    for name, key in description.node_keys.items():
        if not organisation.has_signed(key):
            yield f"the {name} of its node has not signed it: `gridtokenx consortium sign FILE --node DIR`"
    own = {key.hex() for key in (*description.officers, *description.node_keys.values())}
    for signer in sorted(organisation.signatures):
        if signer not in own:
            yield f"key {signer} has signed, and is none of its own"
        elif not organisation.has_signed(bytes.fromhex(signer)):
            yield f"the signature of key {signer} is of something else: the file was changed, so all sign again"


def _place(address: str) -> str:
    """One spelling of an address."""
    host, _, port = address.lower().rpartition(":")
    return f"{host.rstrip('.')}:{int(port)}"


_UNIQUE: tuple[tuple[str, Callable[[Description], Sequence[str]]], ...] = (
    ("name", lambda each: [each.name]),
    ("legal name", lambda each: sorted({each.legal_name.casefold(), each.legal_name_th.casefold()})),
    ("tax id", lambda each: [each.tax_id]),
    ("peer address", lambda each: [_place(each.node.address)]),
    ("node id", lambda each: [each.node.node_id.hex()]),
    ("key", lambda each: [*each.keys, *(key.hex() for key in each.node_keys.values())]),
)
"""What only one may have."""


def doubles(entries: Sequence[Entry]) -> Iterator[Problem]:
    """What two organisations share; and keys that one has twice."""
    for what, values_of in _UNIQUE:
        first: dict[str, int] = {}
        for number, (file, organisation) in enumerate(entries):
            for value in values_of(organisation.description):
                owner = first.setdefault(value, number)
                if owner != number:
                    yield Problem(file, f"{entries[owner].file} has the {what} {value} too")
        if what == "key":
            yield from _shared_keys(entries)


def _shared_keys(entries: Sequence[Entry]) -> Iterator[Problem]:
    """Officers and node have a key for each purpose: who takes one has not taken the others."""
    for file, organisation in entries:
        description = organisation.description
        keys = Counter([*set(description.officers), *description.node_keys.values()])
        for key in sorted(key for key, count in keys.items() if count > 1):
            yield Problem(file, f"it uses the key {key.hex()} for two purposes: make one for each")


def _strangers(entries: Sequence[Entry], chain: str) -> Iterator[Problem]:
    """Who signed for another chain."""
    for file, organisation in entries:
        wanted = chain or entries[0].organisation.description.chain
        if organisation.description.chain != wanted:
            yield Problem(file, f"it was signed for the chain {organisation.description.chain}, not for {wanted}")


def misfits(entries: Sequence[Entry], terms: CeremonyTerms, *, offices: bool) -> Iterator[Problem]:
    """What is not as the terms want it."""
    for file, organisation in entries:
        stake_watt = organisation.description.stake_watt
        if stake_watt < terms.stake_watt:
            yield Problem(file, f"its stake is {stake_watt:,} WATT: the terms want {terms.stake_watt:,}")
    descriptions = [entry.organisation.description for entry in entries]
    for sentence in (
        *_seats(descriptions, terms),
        *_tiers(descriptions, terms),
        *_zones(descriptions, terms),
        *(_offices(descriptions, terms) if offices else ()),
    ):
        yield Problem("", sentence)


def _seats(descriptions: Sequence[Description], terms: CeremonyTerms) -> Iterator[str]:
    wanted = max(VALIDATORS_MIN, terms.chain_terms.seats_min)
    if len(descriptions) < wanted:
        yield (
            f"there are {len(descriptions)} organisations, at least {wanted} are needed: of fewer than four one alone "
            "can stop the chain"
        )
    if len(descriptions) > terms.chain_terms.seats_max:
        yield f"there are {len(descriptions)} organisations for {terms.chain_terms.seats_max} seats"
    taken = Counter(each.group for each in descriptions)
    for (name, _), seats in zip(GROUPS.items(), terms.chain_terms.group_seats, strict=True):
        if taken[name] > seats:
            yield f"group {name} has {taken[name]} organisations for {seats} seats"
        if taken[name] < seats and not terms.fewer_seats:
            yield (
                f"group {name} has {taken[name]} organisations for {seats} seats: the terms do not say "
                "`fewer_seats = true`"
            )


def _tiers(descriptions: Sequence[Description], terms: CeremonyTerms) -> Iterator[str]:
    taken = Counter(each.tier for each in descriptions)
    for name in TIERS:
        wanted = terms.tiers_min.get(name, 0 if terms.fewer_seats else 1)
        if taken[name] < wanted:
            yield f"tier {name} has {taken[name]} organisations: the terms want at least {wanted}"


def _zones(descriptions: Sequence[Description], terms: CeremonyTerms) -> Iterator[str]:
    taken = Counter(each.zone for each in descriptions)
    for zone, count in sorted(taken.items()):
        if count > terms.chain_terms.zone_seats:
            yield (
                f"{count} nodes stand in zone {zone}, at most {terms.chain_terms.zone_seats} may: a blackout there "
                "must not stop the others"
            )
        elif count * 3 >= len(descriptions):
            yield (
                f"{count} of {len(descriptions)} nodes stand in zone {zone}: a third or more, so a blackout there "
                "stops the chain"
            )


def _offices(descriptions: Sequence[Description], terms: CeremonyTerms) -> Iterator[str]:
    names = {each.name for each in descriptions}
    for office, name in (*terms.offices.items(), *terms.distributors.items()):
        if name not in names:
            yield f"the terms give {office} to {name}, which is not among the organisations"
