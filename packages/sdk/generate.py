"""Writes the parts of the SDK that follow from the ledger and the gateway: `python packages/sdk/generate.py`.

    messages.generated.ts    every message with its maker, and the enumerations
    records.generated.ts     what stands in transactions, blocks, proofs and tables
    documents.generated.ts   the JSON of the API: types, and readers that check
    codes.generated.ts       every code and its name

The sources are the msgspec structs themselves. `tests/sdk/test_generated.py` fails when a file is not what this makes.
"""

import enum
import re
from collections.abc import Iterator
from functools import reduce
from operator import or_
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec import NODEFAULT, inspect

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.engine.comet import answers
from gridtokenx.gateway import (
    authority_documents,
    coupled_documents,
    documents,
    maker_documents,
    page_documents,
    portfolio_documents,
    stream_documents,
)
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.ledger import batch, header, transaction, validator
from gridtokenx.ledger.codec import Message
from gridtokenx.ledger.context import Summary
from gridtokenx.ledger.errors import KernelCode
from gridtokenx.modules.authority import messages as authority
from gridtokenx.modules.authority import state as authority_state
from gridtokenx.modules.identity import messages as identity
from gridtokenx.modules.market import messages as market
from gridtokenx.modules.market import state as market_state
from gridtokenx.modules.settlement import messages as settlement
from gridtokenx.modules.settlement import state as settlement_state

FOLDER = Path(__file__).parent / "src"
SAFE_MAX = 2**53 - 1
HEAD = "// Made by packages/sdk/generate.py from the Python sources: change those, then run it again.\n"

ENUMERATIONS: tuple[type[enum.IntEnum], ...] = (
    market.Side,
    market.TimeInForce,
    market.Scope,
    market_state.Phase,
    identity.Source,
    identity.Licence,
    identity.SplitKind,
    identity.Kyc,
    identity.RoleName,
    settlement.Cause,
    settlement_state.Quality,
    authority.Group,
    authority.Tier,
    authority.Standing,
    authority.Act,
    authority.RotatedKey,
    authority_state.Outcome,
)

RECORDS: tuple[Any, ...] = (
    transaction.Auth,
    transaction.Envelope,
    transaction.Body[reduce(or_, CONSORTIUM.handlers)],  # type: ignore[misc]
    transaction.Receipt,
    batch.Batch,
    batch.BatchHeader,
    header.Header,
    validator.Misbehaviour,
    validator.LastCommit,
    Summary,
    header.LastBlock,
    documents.Challenge,
    market_state.Trade,
    authority.NodeLicence,
    authority.Replacement,
)

DOCUMENT_MODULES: tuple[ModuleType, ...] = (
    *(documents, coupled_documents, stream_documents, page_documents),
    *(portfolio_documents, maker_documents, authority_documents),
    answers,
)

BASES = (documents.Document, documents.Request, answers.Answer)


def camel(name: str) -> str:
    """`price_micro` → `priceMicro`, in a way that `snake` takes back."""
    spelled = re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
    if re.sub(r"[A-Z]", lambda match: "_" + match[0].lower(), spelled) != name:
        raise ValueError(f"{name} has no spelling in TypeScript that leads back to it")
    return spelled


def snake_of_class(name: str) -> str:
    """`PlaceOrder` → `PLACE_ORDER`."""
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).upper()


def comment(text: str | None, indent: str = "") -> str:
    """A docstring as TypeScript writes it."""
    words = " ".join((text or "").replace("*/", "* /").split())
    if not words:
        return ""
    lines, line = [], ""
    for word in words.split(" "):
        if line and len(indent) + len(line) + len(word) + 4 > 118:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
    lines.append(line)
    if len(lines) == 1 and len(indent) + len(lines[0]) + 7 <= 118:
        return f"{indent}/** {lines[0]} */\n"
    return f"{indent}/**\n" + "".join(f"{indent} * {each}\n" for each in lines) + f"{indent} */\n"


def name_of(kind: Any) -> str:
    """A struct's name without its type parameters."""
    return str(kind.__name__).partition("[")[0]


def fields_of(kind: Any) -> tuple[inspect.Field, ...]:
    """Of a struct, in order."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return info.fields


def is_union_of_messages(kind: inspect.Type) -> bool:
    """Whether the value is any message."""
    return isinstance(kind, inspect.UnionType) and all(
        isinstance(one, inspect.StructType) and issubclass(one.cls, Message) for one in kind.types
    )


def array_type(inner: str) -> str:
    """An array of these."""
    return f"readonly {inner}[]" if " " not in inner else f"readonly ({inner})[]"


def binary_type(kind: inspect.Type) -> str:
    """The TypeScript type of a value on the ledger's wire."""
    if is_union_of_messages(kind):
        return "Message"
    match kind:
        case inspect.IntType():
            return "number" if kind.le is not None and kind.le <= SAFE_MAX else "bigint"
        case inspect.BytesType():
            return "Uint8Array"
        case inspect.StrType():
            return "string"
        case inspect.BoolType():
            return "boolean"
        case inspect.VarTupleType():
            return array_type(binary_type(kind.item_type))
        case inspect.TupleType():
            return f"readonly [{', '.join(binary_type(item) for item in kind.item_types)}]"
        case inspect.StructType():
            return name_of(kind.cls)
    raise TypeError(f"no TypeScript for {kind}")


def binary_kind(kind: inspect.Type) -> str:
    """How `kinds.ts` says it."""
    if is_union_of_messages(kind):
        return "Message"
    match kind:
        case inspect.IntType():
            return integer_kind(kind)
        case inspect.BytesType():
            return f"bytes({bounds(kind.min_length, kind.max_length)})"
        case inspect.StrType():
            return f"text({range_of(kind.min_length, kind.max_length)})"
        case inspect.BoolType():
            return "FLAG"
        case inspect.VarTupleType():
            inner, limits = binary_kind(kind.item_type), range_of(kind.min_length, kind.max_length)
            return f"list({inner}, {limits})" if limits else f"list({inner})"
        case inspect.TupleType():
            return f"tuple({', '.join(binary_kind(item) for item in kind.item_types)})"
        case inspect.StructType():
            return name_of(kind.cls)
    raise TypeError(f"no TypeScript for {kind}")


def integer_kind(kind: inspect.IntType) -> str:
    """Named kinds for the bounds that are everywhere."""
    if kind.le is None:
        return "INTEGER"
    if kind.ge is None or kind.ge > 0:
        raise TypeError(f"no TypeScript for {kind}")
    if kind.ge < 0:
        return f"whole({kind.le}n, {kind.ge}n)"
    named = {255: "SMALL", 2**62: "WHOLE"}
    if kind.le in named:
        return named[kind.le]
    return f"number({kind.le:_})" if kind.le <= SAFE_MAX else f"whole({kind.le:_}n)"


def bounds(least: int | None, most: int | None) -> str:
    """Arguments of a length of bytes, as few as will do: one alone is exact."""
    return str(least) if least == most and least else range_of(least, most)


def range_of(least: int | None, most: int | None) -> str:
    """Arguments of a length of text or of a list: one alone is the least."""
    return "" if least is None and most is None else f"{least or 0}, {most}"


def nested(kind: type) -> Iterator[type]:
    """The structs inside, those that others need first; messages are left out."""

    def inside(value: inspect.Type) -> Iterator[type]:
        match value:
            case inspect.StructType() if not issubclass(value.cls, Message):
                yield from nested(value.cls)
                yield value.cls
            case inspect.VarTupleType() | inspect.ListType():
                yield from inside(value.item_type)
            case inspect.TupleType():
                for item in value.item_types:
                    yield from inside(item)
            case inspect.UnionType():
                for item in value.types:
                    yield from inside(item)

    for field in fields_of(kind):
        yield from inside(field.type)


def in_order(kinds: Iterator[type] | list[type]) -> list[type]:
    """Each once, after what it needs."""
    return list(dict.fromkeys(each for kind in kinds for each in (*nested(kind), kind)))


def record_text(kind: type, tag: int | None = None) -> str:
    """Interface and kind of a record."""
    name, lines = name_of(kind), []
    about = getattr(kind, "__origin__", kind).__doc__
    lines.append(comment(about) + f"export interface {name} {{\n")
    if tag is not None:
        lines.append(f'  readonly kind: "{name}";\n')
    lines += [f"  readonly {camel(field.name)}: {binary_type(field.type)};\n" for field in fields_of(kind)]
    lines.append("}\n\n")
    entries = "".join(f"  {camel(field.name)}: {binary_kind(field.type)},\n" for field in fields_of(kind))
    body = f"{{\n{entries}}}" if entries else "{}"
    ending = "" if tag is None else f", 0x{tag:02x}"
    lines.append(f'export const {name}: RecordKind<{name}> = record("{name}", {body}{ending});\n\n')
    return "".join(lines)


def messages_file() -> str:
    """Every message in the order of tags, after the records inside them."""
    kinds: list[Any] = sorted(CONSORTIUM.handlers, key=lambda kind: kind.__struct_config__.tag)
    parts = [HEAD, 'import { build } from "./build.js";\n']
    parts.append('import { bytes, FLAG, list, number, record, text, tuple, whole } from "./kinds.js";\n')
    parts.append('import type { Fields, RecordKind, UnionKind } from "./kinds.js";\n\n')
    parts.append("const SMALL = number(255);\nconst WHOLE = whole(2n ** 62n);\n\n")
    parts += [enumeration_text(kind) for kind in ENUMERATIONS]
    parts += [record_text(kind) for kind in in_order(kinds) if not issubclass(kind, Message)]
    for kind in kinds:
        name = name_of(kind)
        maker = name[0].lower() + name[1:]
        parts.append(record_text(kind, kind.__struct_config__.tag))
        parts.append(comment(kind.__doc__))
        parts.append(f"export function {maker}(fields: Fields<{name}>): {name} {{\n")
        parts.append(f"  return build({name}, fields);\n}}\n\n")
    names = [name_of(kind) for kind in kinds]
    parts.append("/** Anything that an account can ask for. */\nexport type Message =\n")
    parts.append("".join(f"  | {name}\n" for name in names).rstrip("\n") + ";\n\n")
    parts.append("/** Any of them, told apart by their tags. */\nexport const Message: UnionKind<Message> = {\n")
    parts.append('  is: "union",\n  of: [\n' + "".join(f"    {name},\n" for name in names) + "  ],\n};\n")
    return "".join(parts)


def enumeration_text(kind: type[enum.IntEnum]) -> str:
    """Names for the numbers of a field."""
    entries = "".join(f"  {member.name}: {int(member)},\n" for member in kind)
    name = kind.__name__
    return comment(kind.__doc__) + f"export const {name} = {{\n{entries}}} as const;\n\n"


def records_file() -> str:
    """Everything else on the wire and in state."""
    tables = [table for _, table in sorted(CONSORTIUM.tables.items())]
    known = {*in_order(list(CONSORTIUM.handlers))}
    kinds = [kind for kind in in_order([*RECORDS, *(table.record_type for table in tables)]) if kind not in known]
    body = "".join(record_text(kind) for kind in kinds)
    body += "".join(
        f"export const {table.name.upper()}: Table<{name_of(table.record_type)}> = "
        f"{{ prefix: 0x{table.prefix:02x}, record: {name_of(table.record_type)} }};\n"
        for table in tables
    )
    kinds_used = ("bytes", "FLAG", "list", "number", "record", "text", "tuple", "whole")
    shared = [name_of(kind) for kind in known if re.search(rf"\b{name_of(kind)}\b", body)]
    parts = [HEAD, f'import {{ {", ".join(kinds_used)} }} from "./kinds.js";\n']
    parts.append('import type { RecordKind } from "./kinds.js";\n')
    parts.append(f'import {{ {", ".join(sorted({"Message", *shared}))} }} from "./messages.generated.js";\n')
    parts.append('import type { Table } from "./tables.js";\n\n')
    parts.append("const SMALL = number(255);\nconst WHOLE = whole(2n ** 62n);\n")
    parts.append("const INTEGER = whole(2n ** 64n - 1n, -(2n ** 63n));\n\n")
    return "".join(parts) + body


def json_type(kind: inspect.Type, name: str) -> str:
    """The TypeScript type of a value in a JSON document."""
    match kind:
        case inspect.IntType():
            return "bigint" if name.endswith("_micro") else "number"
        case inspect.StrType():
            return "string"
        case inspect.BoolType():
            return "boolean"
        case inspect.AnyType():
            return "unknown"
        case inspect.ListType():
            return array_type(json_type(kind.item_type, name))
        case inspect.TupleType():
            return f"readonly [{', '.join(json_type(item, name) for item in kind.item_types)}]"
        case inspect.StructType():
            return name_of(kind.cls)
        case inspect.UnionType(types=(other, inspect.NoneType())):
            return f"{json_type(other, name)} | null"
    raise TypeError(f"no TypeScript for {kind}")


def json_reader(kind: inspect.Type, name: str) -> str:
    """How `json.ts` reads it."""
    match kind:
        case inspect.IntType():
            return "money" if name.endswith("_micro") else "integer"
        case inspect.StrType():
            return "text"
        case inspect.BoolType():
            return "flag"
        case inspect.AnyType():
            return "anything"
        case inspect.ListType():
            return f"listOf({json_reader(kind.item_type, name)})"
        case inspect.TupleType():
            return f"tupleOf({', '.join(json_reader(item, name) for item in kind.item_types)})"
        case inspect.StructType():
            return name_of(kind.cls)
        case inspect.UnionType(types=(other, inspect.NoneType())):
            return f"orNull({json_reader(other, name)})"
    raise TypeError(f"no TypeScript for {kind}")


def is_unset_or_there(field: inspect.Field) -> bool:
    """Whether a missing field means that there is nothing to say (msgspec's UNSET); it reads as null."""
    return not field.required and field.default is NODEFAULT and field.default_factory is NODEFAULT


def default_text(field: inspect.Field) -> str:
    """What is read where the field is missing."""
    if field.default_factory is list:
        return "[]"
    if field.default is None:
        return "null"
    if isinstance(field.default, bool):
        return str(field.default).lower()
    if isinstance(field.default, int):
        return f"{field.default}n" if field.name.endswith("_micro") else str(field.default)
    if isinstance(field.default, str):
        return f'"{field.default}"'
    if isinstance(field.default, list) and not field.default:
        return "[]"
    raise TypeError(f"no TypeScript for the default of {field}")


def answer_text(kind: type) -> str:
    """Interface and reader of an answer."""
    name = name_of(kind)
    members, entries = "", ""
    for field in fields_of(kind):
        reader, shape = json_reader(field.type, field.name), json_type(field.type, field.name)
        if is_unset_or_there(field):
            reader, shape = f"optional(orNull({reader}), null)", f"{shape} | null"
        elif not field.required:
            reader = f"optional({reader}, {default_text(field)})"
        members += f"  readonly {camel(field.name)}: {shape};\n"
        entries += f"  {camel(field.name)}: {reader},\n"
    return (
        comment(kind.__doc__) + f"export interface {name} {{\n{members}}}\n\n"
        f"export const {name}: Reader<{name}> = document<{name}>({{\n{entries}}});\n\n"
    )


def request_text(kind: type) -> str:
    """Interface of a request; what has a default may be left out."""
    members = "".join(
        f"  readonly {camel(field.name)}{'' if field.required else '?'}: {json_type(field.type, field.name)};\n"
        for field in fields_of(kind)
    )
    return comment(kind.__doc__) + f"export interface {name_of(kind)} {{\n{members}}}\n\n"


def documents_file() -> str:
    """All documents, in the order of the sources."""
    body, seen = "", set()
    for module in DOCUMENT_MODULES:
        for kind in vars(module).values():
            if not isinstance(kind, type) or kind in seen or kind in BASES:
                continue
            seen.add(kind)
            if issubclass(kind, (documents.Document, answers.Answer)):
                body += answer_text(kind)
            elif issubclass(kind, documents.Request):
                body += request_text(kind)
    readers = ("anything", "document", "flag", "integer", "listOf", "money", "optional", "orNull", "text", "tupleOf")
    used = [name for name in readers if re.search(rf"[ (]{name}[(,<)]", body)]
    imports = f'import {{ {", ".join(used)} }} from "./json.js";\nimport type {{ Reader }} from "./json.js";\n\n'
    return HEAD + imports + body.rstrip("\n") + "\n"


def codes_file() -> str:
    """Of the ledger's modules and of the gateway. Names repeat between modules, numbers never do."""
    kinds: tuple[type[enum.IntEnum], ...] = (KernelCode, *(module.codes for module in CONSORTIUM.modules), GatewayCode)
    kinds_text = "".join(enumeration_text(kind) for kind in kinds)
    return (
        f"{HEAD}{kinds_text}const GROUPS: readonly Readonly<Record<string, number>>[] = [\n"
        + "".join(f"  {kind.__name__},\n" for kind in kinds)
        + "];\n\n"
        + comment("The name of a code; empty for one that this version does not know.")
        + "export function codeName(code: number): string {\n"
        + "  for (const group of GROUPS) {\n"
        + "    for (const [name, number] of Object.entries(group)) if (number === code) return name;\n"
        + "  }\n"
        + '  return "";\n}\n'
    )


FILES = {
    "messages.generated.ts": messages_file,
    "records.generated.ts": records_file,
    "documents.generated.ts": documents_file,
    "codes.generated.ts": codes_file,
}


def out_of_date() -> list[str]:
    """Names of the files that are not what this makes."""
    return [name for name, make in FILES.items() if (FOLDER / name).read_text(encoding="utf-8") != make()]


if __name__ == "__main__":
    for file, make in FILES.items():
        (FOLDER / file).write_text(make(), encoding="utf-8")
