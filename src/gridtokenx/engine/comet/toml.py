"""Writing TOML: tables of strings, integers, booleans, lists and inline tables, which is all that settings need."""

import json
from collections.abc import Mapping
from typing import Any


def toml_document(tables: Mapping[str, Mapping[str, Any]], comment: str) -> bytes:
    """A document with a comment above; the table named "" comes first and has no heading."""
    lines = [f"# {comment}"]
    for name, values in tables.items():
        lines.extend(["", f"[{name}]"] if name else [])
        lines.extend(f"{key} = {_value(value)}" for key, value in values.items())
    return "\n".join([*lines, ""]).encode()


def _value(value: object) -> str:
    """JSON writes strings and integers as TOML does, but for one character, and pairs of escapes above U+FFFF."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
