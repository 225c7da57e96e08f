/**
 * Canonical bytes to values. Accepts exactly the bytes that `encode` makes: whatever is longer than need be, cut short,
 * followed by more, or of another kind is refused.
 */

import { Malformed } from "./errors.js";
import type { Kind, RecordKind, UnionKind } from "./kinds.js";

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The value whose encoding this is. Throws Malformed, and nothing else, for every other input. */
export function decode<T>(kind: RecordKind<T> | UnionKind<T>, data: Uint8Array): T;
export function decode(kind: Kind, data: Uint8Array): unknown;
export function decode(kind: Kind, data: Uint8Array): unknown {
  const source = new Source(data);
  const value = read(source, kind, "");
  if (source.left !== 0) throw new Malformed("there are bytes behind the value");
  return value;
}

/** Reads from the front. */
class Source {
  private place = 0;
  private readonly view: DataView;

  constructor(private readonly data: Uint8Array) {
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  get left(): number {
    return this.data.length - this.place;
  }

  byte(): number {
    return this.view.getUint8(this.advance(1));
  }

  unsigned(size: 1 | 2 | 4): number {
    const place = this.advance(size);
    if (size === 1) return this.view.getUint8(place);
    return size === 2 ? this.view.getUint16(place) : this.view.getUint32(place);
  }

  signed(size: 1 | 2 | 4): number {
    const place = this.advance(size);
    if (size === 1) return this.view.getInt8(place);
    return size === 2 ? this.view.getInt16(place) : this.view.getInt32(place);
  }

  long(signed: boolean): bigint {
    const place = this.advance(8);
    return signed ? this.view.getBigInt64(place) : this.view.getBigUint64(place);
  }

  bytes(count: number): Uint8Array<ArrayBuffer> {
    const place = this.advance(count);
    return new Uint8Array(this.data.subarray(place, place + count));
  }

  private advance(count: number): number {
    if (count > this.left) throw new Malformed("the bytes end too early");
    const place = this.place;
    this.place += count;
    return place;
  }
}

/** Goes only as deep as the kind does. */
function read(source: Source, kind: Kind, path: string): unknown {
  switch (kind.is) {
    case "number":
      return Number(readWhole(source, BigInt(kind.least), BigInt(kind.most), path));
    case "whole":
      return readWhole(source, kind.least, kind.most, path);
    case "flag":
      return readFlag(source, path);
    case "bytes":
      return source.bytes(within(readLength(source, -1, 0, 0xc4, path), kind.least, kind.most, path));
    case "text":
      return readText(source, kind.least, kind.most, path);
    case "list":
      return readItems(source, within(readArrayLength(source, path), kind.least, kind.most, path), () => kind.of, path);
    case "tuple": {
      const length = within(readArrayLength(source, path), kind.of.length, kind.of.length, path);
      return readItems(source, length, (place) => kind.of[place]!, path);
    }
    case "record":
      return readRecord(source, [kind], path);
    case "union":
      return readRecord(source, kind.of, path);
  }
}

function readItems(source: Source, length: number, kindAt: (place: number) => Kind, path: string): unknown[] {
  const items: unknown[] = [];
  for (let place = 0; place < length; place += 1) items.push(read(source, kindAt(place), `${path}[${place}]`));
  return items;
}

function readRecord(source: Source, kinds: readonly RecordKind[], path: string): Record<string, unknown> {
  const length = readArrayLength(source, path);
  let kind = kinds[0]!;
  const value: Record<string, unknown> = {};
  let head = 0;
  if (kind.tag !== undefined) {
    const tag = length === 0 ? undefined : readWhole(source, 0n, 0xffn, path);
    const tagged = kinds.find((candidate) => BigInt(candidate.tag ?? -1) === tag);
    if (tagged === undefined) throw new Malformed(`there is no message ${tag ?? "without a tag"}`, { field: path });
    kind = tagged;
    value["kind"] = kind.name;
    head = 1;
  }
  const fields = Object.entries(kind.fields);
  within(length, fields.length + head, fields.length + head, path);
  for (const [name, field] of fields) value[name] = read(source, field, path ? `${path}.${name}` : name);
  return value;
}

function readWhole(source: Source, least: bigint, most: bigint, path: string): bigint {
  const head = source.byte();
  const value = wholeAfter(source, head, path);
  if (value < least || value > most) throw new Malformed(`${value} is out of bounds`, { field: path });
  return value;
}

function wholeAfter(source: Source, head: number, path: string): bigint {
  if (head <= 0x7f) return BigInt(head);
  if (head >= 0xe0) return BigInt(head - 0x100);
  switch (head) {
    case 0xcc:
      return BigInt(atLeast(source.unsigned(1), 0x80, path));
    case 0xcd:
      return BigInt(atLeast(source.unsigned(2), 0x100, path));
    case 0xce:
      return BigInt(atLeast(source.unsigned(4), 0x10000, path));
    case 0xcf:
      return longAtLeast(source.long(false), 0x1_0000_0000n, path);
    case 0xd0:
      return -BigInt(atLeast(-source.signed(1), 0x21, path));
    case 0xd1:
      return -BigInt(atLeast(-source.signed(2), 0x81, path));
    case 0xd2:
      return -BigInt(atLeast(-source.signed(4), 0x8001, path));
    case 0xd3:
      return -longAtLeast(-source.long(true), 0x8000_0001n, path);
    default:
      throw unlike("a whole number", path);
  }
}

function readFlag(source: Source, path: string): boolean {
  const head = source.byte();
  if (head !== 0xc2 && head !== 0xc3) throw unlike("true or false", path);
  return head === 0xc3;
}

function readText(source: Source, least: number, most: number, path: string): string {
  const bytes = source.bytes(readLength(source, 0xa0, 31, 0xd9, path));
  let value: string;
  try {
    value = UTF8.decode(bytes);
  } catch (cause) {
    throw new Malformed("this text is not in UTF-8", { field: path, cause });
  }
  within([...value].length, least, most, path);
  return value;
}

/** `fixed` is the first byte of the shortest lengths, or -1; `head` that of a length of one byte. */
function readLength(source: Source, fixed: number, fixedMax: number, head: number, path: string): number {
  const first = source.byte();
  if (fixed >= 0 && first >= fixed && first <= fixed + fixedMax) return first - fixed;
  if (first === head) return atLeast(source.unsigned(1), fixed >= 0 ? fixedMax + 1 : 0, path);
  if (first === head + 1) return atLeast(source.unsigned(2), 0x100, path);
  if (first === head + 2) return atLeast(source.unsigned(4), 0x10000, path);
  throw unlike(fixed >= 0 ? "text" : "bytes", path);
}

function readArrayLength(source: Source, path: string): number {
  const first = source.byte();
  if (first >= 0x90 && first <= 0x9f) return first - 0x90;
  if (first === 0xdc) return atLeast(source.unsigned(2), 16, path);
  if (first === 0xdd) return atLeast(source.unsigned(4), 0x10000, path);
  throw unlike("an array", path);
}

function within(length: number, least: number, most: number, path: string): number {
  if (length < least || length > most) {
    throw new Malformed(`a length of ${length} is not from ${least} to ${most}`, { field: path });
  }
  return length;
}

function atLeast(value: number, least: number, path: string): number {
  if (value < least) throw tooLong(path);
  return value;
}

function longAtLeast(value: bigint, least: bigint, path: string): bigint {
  if (value < least) throw tooLong(path);
  return value;
}

function tooLong(path: string): Malformed {
  return new Malformed("a number or a length is not in its shortest form", { field: path });
}

function unlike(expected: string, path: string): Malformed {
  return new Malformed(`${path || "the value"} should be ${expected}`, { field: path });
}
