"""From recordings to sites: which load, PV, import and export belong together, and what the load behind them is."""

from collections import Counter, defaultdict
from fnmatch import fnmatchcase
from typing import NamedTuple

from gridtokenx.simulation.recordings.findings import Finding, Kind, RecordingError, Trouble, doubt, in_runs
from gridtokenx.simulation.recordings.meaning import Meaning
from gridtokenx.simulation.recordings.options import Options
from gridtokenx.simulation.recordings.series import Quarters, Recording

_SAME_UWH = 1_000_000  # two files that overlap may round differently


class SiteSeries(NamedTuple):
    """Load and PV of a site in quarters; `pv` is None without PV. `lines` serve reports."""

    key: str
    load: Quarters
    pv: Quarters | None
    load_file: str
    load_column: str
    pv_file: str
    pv_column: str


def pairing_questions(meanings: list[Meaning], options: Options) -> list[Finding]:
    """PV whose site is not clear, columns that would fall together, meters that are half there."""
    sites: defaultdict[str, list[Meaning]] = defaultdict(list)
    for meaning in meanings:
        sites[meaning.site.casefold()].append(meaning)
    findings: list[Finding] = []
    for members in sites.values():
        _refuse_twins(members)
    alone = {key: found for key, found in sites.items() if {m.role for m in found} == {"pv"} and not found[0].site_told}
    bare = [key for key, found in sites.items() if not any(meaning.role in {"pv", "export"} for meaning in found)]
    for key, found in alone.items():
        meaning = found[0]
        if len(alone) == 1 and len(bare) == 1:
            target, evidence = sites[bare[0]][0].site, "its name fits no load, and there is one load without PV"
        else:
            target, evidence = key, "its name fits no load: name the site, or leave it as a plant of its own"
        column, file = meaning.channel.name, meaning.table.source.name
        findings.append(doubt("site of PV", file, column, column, evidence, "--pv", target))
    for members in sites.values():
        roles = {meaning.role for meaning in members}
        if "load" not in roles and "import" in roles and "pv" in roles and "export" not in roles:
            meaning = next(m for m in members if m.role == "import")
            column, file = meaning.channel.name, meaning.table.source.name
            evidence = "with PV behind the meter, import alone does not give the load: is it the whole consumption?"
            findings.append(doubt("role", file, column, column, evidence, "--load", "", ("load", "ignore")))
    return [*findings, *_chosen(meanings, options)]


def _refuse_twins(members: list[Meaning]) -> None:
    """Two columns of one file for the same thing are added only when their owner names the site of both."""
    for (role, file), number in Counter((m.role, m.table.source.name) for m in members).items():
        twins = [m for m in members if (m.role, m.table.source.name) == (role, file)]
        if number > 1 and not all(meaning.site_told for meaning in twins):
            names = ", ".join(f"'{meaning.channel.name}'" for meaning in twins[:6])
            raise RecordingError(
                f"{file}: columns {names} would all be {role} of one site; name their sites with --{role} SITE=COLUMN "
                "(the same SITE adds them up), or leave some out with --ignore COLUMN"
            )


def _chosen(meanings: list[Meaning], options: Options) -> list[Finding]:
    keys = {meaning.site.casefold() for meaning in meanings}
    for setting in options.sites:
        if not any(fnmatchcase(key, (setting.key or setting.value).casefold()) for key in keys):
            known = ", ".join(sorted(keys))
            raise RecordingError(f"--site: there is no '{setting.key or setting.value}'; the sites are {known}")
    return []


def build_sites(recordings: list[Recording], options: Options) -> tuple[list[SiteSeries], list[Finding], list[Trouble]]:
    """One series for each site, in the order in which the files name them."""
    grouped: dict[str, list[Recording]] = {}
    for recording in recordings:
        grouped.setdefault(recording.meaning.site.casefold(), []).append(recording)
    sites: list[SiteSeries] = []
    findings: list[Finding] = []
    troubles: list[Trouble] = []
    for key, members in grouped.items():
        if options.sites and not any(fnmatchcase(key, (s.key or s.value).casefold()) for s in options.sites):
            continue
        roles: dict[str, list[Recording]] = {}
        for recording in members:
            roles.setdefault(recording.meaning.role, []).append(recording)
        merged = {role: _merge(found, options.duplicates, troubles) for role, found in roles.items()}
        load, pv, how = _load_and_pv(key, merged)
        if how:
            findings.append(Finding("load", "", key, how, "follows from what the meters measure"))
        load = _without_negatives(key, load, how, troubles)
        bearer = (roles.get("load") or roles.get("import") or roles.get("net") or members)[0].meaning
        sun = (roles.get("pv") or roles.get("export") or roles.get("net") or members)[0].meaning
        sites.append(
            SiteSeries(
                key,
                load,
                pv,
                bearer.table.source.name,
                bearer.channel.name,
                sun.table.source.name,
                sun.channel.name,
            )
        )
    if not sites:
        raise RecordingError("no column is a load, PV, import or export; name one with --load COLUMN")
    return sites, findings, troubles


def _merge(recordings: list[Recording], policy: str, troubles: list[Trouble]) -> Quarters:
    """Parts of one series from several files; columns of one file are added."""
    by_file: dict[str, Quarters] = {}
    for recording in recordings:
        file = recording.meaning.table.source.name
        by_file[file] = _plus(by_file[file], recording.quarters, 1) if file in by_file else recording.quarters
    whole = Quarters({}, {})
    for file, part in by_file.items():
        both = [quarter for quarter in part.energy_uwh if quarter in whole.energy_uwh]
        differ = [q for q in both if abs(part.energy_uwh[q] - whole.energy_uwh[q]) > _SAME_UWH]
        column = recordings[0].meaning.channel.name
        for kind, quarters in ((Kind.DUPLICATE_DIFFERENT, differ), (Kind.DUPLICATE_SAME, sorted({*both} - {*differ}))):
            done = "kept once" if kind is Kind.DUPLICATE_SAME else f"{policy}: see --duplicates"
            for first, last, count in in_runs(sorted({part.lines[quarter] for quarter in quarters})):
                reason = "another file has this time too"
                troubles.append(Trouble(kind, file, first, last, column, count, reason, done))
        energy = (
            {**part.energy_uwh, **whole.energy_uwh} if policy != "last" else {**whole.energy_uwh, **part.energy_uwh}
        )
        for quarter in differ if policy == "leave-out" else ():
            del energy[quarter]
        whole = Quarters(energy, {**part.lines, **whole.lines})
    return whole


def _plus(one: Quarters, other: Quarters, sign: int) -> Quarters:
    """Sum (or difference) where both are known."""
    both = [quarter for quarter in one.energy_uwh if quarter in other.energy_uwh]
    energy = {quarter: one.energy_uwh[quarter] + sign * other.energy_uwh[quarter] for quarter in both}
    return Quarters(energy, {quarter: one.lines[quarter] for quarter in both})


def _load_and_pv(key: str, merged: dict[str, Quarters]) -> tuple[Quarters, Quarters | None, str]:
    """Load, PV, and how the load was computed where it was not measured."""
    pv, taken, given = merged.get("pv"), merged.get("import"), merged.get("export")
    if "load" in merged:
        return merged["load"], pv, ""
    if taken is not None and given is not None and pv is not None:
        return _plus(_plus(taken, pv, 1), given, -1), pv, "import + PV - export"
    if taken is not None and given is not None:
        return taken, given, "import, with export as PV: what is used behind the meter stays unseen"
    if taken is not None:
        return taken, pv, ""
    if "net" in merged and pv is not None:
        return _plus(merged["net"], pv, 1), pv, "net import + PV"
    if "net" in merged:
        net = merged["net"]
        sun = Quarters({quarter: max(0, -energy) for quarter, energy in net.energy_uwh.items()}, net.lines)
        how = "net import, with net export as PV: what is used behind the meter stays unseen"
        bought = {quarter: max(0, energy) for quarter, energy in net.energy_uwh.items()}
        return Quarters(bought, net.lines), sun, how
    if pv is not None and given is None:
        return Quarters(dict.fromkeys(pv.energy_uwh, 0), pv.lines), pv, "none: a plant of its own"
    raise RecordingError(f"site '{key}' has an export but no load or import; name one with --load {key}=COLUMN")


def _without_negatives(key: str, load: Quarters, how: str, troubles: list[Trouble]) -> Quarters:
    """A computed load below zero shows that the meters do not agree; such quarters are read as zero, and reported."""
    below = [quarter for quarter, energy in load.energy_uwh.items() if energy < 0]
    if below:
        lost_wh = -sum(load.energy_uwh[quarter] for quarter in below) // 1_000_000
        reason = f"{how} is below zero in {len(below)} quarters, {lost_wh} Wh in all: the meters' times or units differ"
        troubles.append(Trouble(Kind.NEGATIVE, "", 0, 0, key, len(below), reason, "read as zero"))
    return Quarters({quarter: max(0, energy) for quarter, energy in load.energy_uwh.items()}, load.lines)
