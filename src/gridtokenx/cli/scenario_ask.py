"""Questions on a terminal about what recordings do not say, and the flags that answer them without one."""

import shlex

import typer
from msgspec.structs import replace

from gridtokenx.cli.console import out
from gridtokenx.simulation.recordings.findings import Finding
from gridtokenx.simulation.recordings.options import ROLES, Options, RoleSetting, Setting

_FIELDS = {
    "--encoding": "encoding",
    "--delimiter": "delimiter",
    "--decimal": "decimal",
    "--time": "time_column",
    "--meter": "meter_column",
    "--interval": "interval",
    "--stamp": "stamp",
    "--timezone": "timezone",
    "--clock": "clock",
    "--unit": "unit",
    "--rated": "rated",
}
_ORDERS = {"day first": "dmy", "month first": "mdy"}


def ask(finding: Finding, options: Options) -> Options:
    """Ask about one finding, with its proposal as the default; the options with the answer."""
    where = f" of '{finding.place}'" if finding.place else ""
    out.print(f"{finding.file}: {finding.what}{where}: {finding.evidence}.", markup=False, highlight=False)
    choices = f" ({', '.join(finding.choices)})" if finding.choices else ""
    while True:
        answer = str(typer.prompt(f"{finding.what}{where}{choices}", default=proposed(finding) or None)).strip()
        known = [choice for choice in finding.choices if choice.casefold() == answer.casefold()]
        if known or not finding.choices:
            return answered(options, finding, known[0] if known else answer)


def proposed(finding: Finding) -> str:
    """What the finding proposes, as an answer."""
    if finding.what == "role":
        return finding.flag.removeprefix("--")
    return finding.key if finding.what == "site of PV" else finding.value


def answered(options: Options, finding: Finding, answer: str) -> Options:
    """The options as if the flag had been given with the answer."""
    if finding.what == "site of PV":
        return replace(options, roles=(*options.roles, RoleSetting("pv", answer, finding.value)))
    if finding.what == "role":
        if answer not in ROLES:
            return replace(options, ignore=(*options.ignore, finding.value))
        return replace(options, roles=(*options.roles, RoleSetting(answer, "", finding.value)))
    if answer in _ORDERS:
        return replace(options, date_order=(*options.date_order, Setting(finding.file, _ORDERS[answer])))
    field = _FIELDS[finding.flag]
    return replace(options, **{field: (*getattr(options, field), Setting(finding.key, answer))})


def missing_options(unsure: list[Finding], files: list[str]) -> list[str]:
    """The flags that accept every proposal; one that all files share is said once, without their names."""
    shared: dict[tuple[str, str], set[str]] = {}
    for finding in unsure:
        shared.setdefault((finding.flag, finding.value), set()).add(finding.key)
    words = []
    for finding in unsure:
        keys = shared[finding.flag, finding.value]
        if finding.key in files and keys >= set(files):
            words.append(f"{finding.flag} {shlex.quote(finding.value or '…')}")
        else:
            words.append(finding.option)
    return list(dict.fromkeys(words))
