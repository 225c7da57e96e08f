"""Writes docs/messages.md from the messages and tables themselves: `python scripts/make_reference.py`."""

from pathlib import Path

from gridtokenx.chains.consortium import CONSORTIUM

PAGE = Path(__file__).parents[1] / "docs" / "messages.md"

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


if __name__ == "__main__":
    PAGE.write_text(reference())
