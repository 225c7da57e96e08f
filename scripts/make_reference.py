"""Writes docs/messages.md and docs/codes.md from messages, tables, codes and their sentences themselves:
`python scripts/make_reference.py`."""

from pathlib import Path

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.sentences import sentence

DOCS = Path(__file__).parents[1] / "docs"

HEAD = """# Messages and tables

What an account can ask for, and what the ledger keeps. Fields stand in the order of the array on the wire; bytes are
MessagePack `bin`, numbers are unsigned. The first item of a message is its tag. Made by `scripts/make_reference.py`.
"""


def first_sentence(kind: type) -> str:
    """Of its docstring."""
    return " ".join((kind.__doc__ or "").split()).split(". ")[0].rstrip(".")


def reference() -> str:
    """The page."""
    lines = [HEAD, "## Messages", ""]
    for module in CONSORTIUM.modules:
        lines += [f"### {module.name}", "", "| message | tag | fields | what it does |", "|---|---|---|---|"]
        for kind in module.handlers:
            config, fields = kind.__struct_config__, ", ".join(kind.__struct_fields__)
            lines.append(f"| `{kind.__name__}` | 0x{config.tag:02x} | {fields} | {first_sentence(kind)} |")
        lines.append("")
    lines += ["## Tables", "", "A record's key, in commitment and database, is the prefix followed by the key.", ""]
    lines += ["| table | prefix | fields | what it holds |", "|---|---|---|---|"]
    for prefix, table in sorted(CONSORTIUM.tables.items()):
        fields = ", ".join(table.record_type.__struct_fields__) or "none"
        lines.append(f"| `{table.name}` | 0x{prefix:02x} | {fields} | {first_sentence(table.record_type)} |")
    return "\n".join(lines) + "\n"


CODES_HEAD = """# Codes

What became of a transaction, as a number in its receipt. Numbers and names are consensus: they are only added, never
changed (`tests/vectors/codes.json` pins them). An API names the code and the field; the words below are for people.
Every code is reached by a test (`tests/codes_reached.py`).

Codes 1 to 21 are the kernel's, 100 to 199 of tokens, 200 to 299 of identity, 300 to 399 of the market, 400 to 499 of
settlement, 500 to 599 of the authorities, 900 to 999 of the gateway. After any code but 0 nothing of the transaction
has happened, except that its nonce is used up where the kernel had let it in. Made by `scripts/make_reference.py` from
the sentences of the gateway (`src/gridtokenx/gateway/sentences/`).
"""

HUNDREDS = {0: "Kernel", 1: "Tokens", 2: "Identity", 3: "Market", 4: "Settlement", 5: "Authority", 9: "Gateway"}


def codes_reference() -> str:
    """The page."""
    names = CONSORTIUM.codes | {int(code): code.name for code in GatewayCode}
    lines = [CODES_HEAD]
    for hundred, title in HUNDREDS.items():
        lines += [f"## {title}", ""]
        if title == "Gateway":
            lines += ["These never reach the chain: the gateway itself says no (`gateway/codes.py`).", ""]
        lines += ["| number | name | what happened, and what to do | ไทย |", "|---|---|---|---|"]
        for number, name in sorted(names.items()):
            if number // 100 == hundred:
                lines.append(f"| {number} | {name} | {sentence(name, 'en')} | {sentence(name, 'th')} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    (DOCS / "messages.md").write_text(reference(), encoding="utf-8")
    (DOCS / "codes.md").write_text(codes_reference(), encoding="utf-8")
