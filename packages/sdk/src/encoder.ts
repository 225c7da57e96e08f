/** Values to canonical bytes: MessagePack with the shortest form of every number and length. */

import { Malformed } from "./errors.js";
import type { Given, Kind, ListKind, RecordKind, TupleKind, UnionKind } from "./kinds.js";

const UTF8 = new TextEncoder();

/** The one encoding of the value. Throws Malformed when the value is not of this kind. */
export function encode<T>(kind: RecordKind<T> | UnionKind<T>, value: Given<T>): Uint8Array<ArrayBuffer>;
export function encode(kind: Kind, value: unknown): Uint8Array<ArrayBuffer>;
export function encode(kind: Kind, value: unknown): Uint8Array<ArrayBuffer> {
  const sink = new Sink();
  write(sink, kind, value, "");
  return sink.taken();
}

/** A buffer that grows: `room` comes before the buffer or the view is named, since it may replace both. */
class Sink {
  private buffer = new Uint8Array(256);
  private view = new DataView(this.buffer.buffer);
  private end = 0;

  taken(): Uint8Array<ArrayBuffer> {
    return this.buffer.slice(0, this.end);
  }

  byte(value: number): void {
    const place = this.room(1);
    this.view.setUint8(place, value);
  }

  /** A first byte and a big-endian unsigned number of 1, 2 or 4 bytes behind it. */
  headed(head: number, value: number, size: 1 | 2 | 4): void {
    const place = this.room(1 + size);
    this.view.setUint8(place, head);
    if (size === 1) this.view.setUint8(place + 1, value);
    else if (size === 2) this.view.setUint16(place + 1, value);
    else this.view.setUint32(place + 1, value);
  }

  headedLong(head: number, value: bigint): void {
    const place = this.room(9);
    this.view.setUint8(place, head);
    this.view.setBigUint64(place + 1, BigInt.asUintN(64, value));
  }

  bytes(value: Uint8Array): void {
    const place = this.room(value.length);
    this.buffer.set(value, place);
  }

  private room(size: number): number {
    const place = this.end;
    this.end += size;
    if (this.end > this.buffer.length) {
      const larger = new Uint8Array(Math.max(this.end, 2 * this.buffer.length));
      larger.set(this.buffer);
      this.buffer = larger;
      this.view = new DataView(larger.buffer);
    }
    return place;
  }
}

function write(sink: Sink, kind: Kind, value: unknown, path: string): void {
  switch (kind.is) {
    case "number":
    case "whole":
      writeWhole(sink, wholeOf(value, kind.least, kind.most, path));
      break;
    case "flag":
      if (typeof value !== "boolean") throw unlike("true or false", path);
      sink.byte(value ? 0xc3 : 0xc2);
      break;
    case "bytes":
      if (!(value instanceof Uint8Array)) throw unlike("bytes", path);
      requireLength(value.length, kind.least, kind.most, path);
      writeLength(sink, value.length, 0, 0, 0xc4);
      sink.bytes(value);
      break;
    case "text":
      writeText(sink, value, kind.least, kind.most, path);
      break;
    default:
      writeArray(sink, kind, value, path);
  }
}

function writeText(sink: Sink, value: unknown, least: number, most: number, path: string): void {
  if (typeof value !== "string" || !value.isWellFormed()) throw unlike("text", path);
  requireLength([...value].length, least, most, path);
  const bytes = UTF8.encode(value);
  writeLength(sink, bytes.length, 0xa0, 31, 0xd9);
  sink.bytes(bytes);
}

function writeArray(
  sink: Sink,
  kind: ListKind | TupleKind | RecordKind | UnionKind,
  value: unknown,
  path: string,
): void {
  if (kind.is === "union") {
    const named = isObject(value) ? value["kind"] : undefined;
    const member = kind.of.find((record) => record.name === named);
    if (member === undefined) throw unlike("a message", path);
    writeArray(sink, member, value, path);
    return;
  }
  if (kind.is === "record") {
    writeRecord(sink, kind, value, path);
    return;
  }
  if (!Array.isArray(value)) throw unlike("an array", path);
  if (kind.is === "list") requireLength(value.length, kind.least, kind.most, path);
  else requireLength(value.length, kind.of.length, kind.of.length, path);
  writeArrayLength(sink, value.length);
  value.forEach((item, place) => {
    write(sink, kind.is === "list" ? kind.of : kind.of[place]!, item, `${path}[${place}]`);
  });
}

function writeRecord(sink: Sink, kind: RecordKind, value: unknown, path: string): void {
  if (!isObject(value)) throw unlike(kind.name, path);
  const fields = Object.entries(kind.fields);
  writeArrayLength(sink, fields.length + (kind.tag === undefined ? 0 : 1));
  if (kind.tag !== undefined) writeWhole(sink, BigInt(kind.tag));
  for (const [name, field] of fields) write(sink, field, value[name], path ? `${path}.${name}` : name);
}

function writeArrayLength(sink: Sink, length: number): void {
  if (length <= 15) sink.byte(0x90 | length);
  else if (length <= 0xffff) sink.headed(0xdc, length, 2);
  else sink.headed(0xdd, length, 4);
}

/** `head` is that of a length of one byte; those of two and four follow it. */
function writeLength(sink: Sink, length: number, fixed: number, fixedMax: number, head: number): void {
  if (length <= fixedMax && fixed) sink.byte(fixed | length);
  else if (length <= 0xff) sink.headed(head, length, 1);
  else if (length <= 0xffff) sink.headed(head + 1, length, 2);
  else sink.headed(head + 2, length, 4);
}

function writeWhole(sink: Sink, value: bigint): void {
  if (value >= 0n) {
    if (value <= 0x7fn) sink.byte(Number(value));
    else if (value <= 0xffn) sink.headed(0xcc, Number(value), 1);
    else if (value <= 0xffffn) sink.headed(0xcd, Number(value), 2);
    else if (value <= 0xffffffffn) sink.headed(0xce, Number(value), 4);
    else sink.headedLong(0xcf, value);
  } else if (value >= -32n) sink.byte(0x100 + Number(value));
  else if (value >= -0x80n) sink.headed(0xd0, Number(value) & 0xff, 1);
  else if (value >= -0x8000n) sink.headed(0xd1, Number(value) & 0xffff, 2);
  else if (value >= -0x80000000n) sink.headed(0xd2, Number(value) >>> 0, 4);
  else sink.headedLong(0xd3, value);
}

/** Numbers are taken only while they are exact. */
function wholeOf(value: unknown, least: bigint | number, most: bigint | number, path: string): bigint {
  if (typeof value !== "bigint" && !Number.isSafeInteger(value)) throw unlike("a whole number", path);
  const whole = BigInt(value as bigint | number);
  if (whole < least || whole > most) throw unlike(`a number from ${least} to ${most}`, path);
  return whole;
}

function requireLength(length: number, least: number, most: number, path: string): void {
  if (length < least || length > most) {
    throw new Malformed(`a length of ${length} is not from ${least} to ${most}`, { field: path });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function unlike(expected: string, path: string): Malformed {
  return new Malformed(`${path || "the value"} should be ${expected}`, { field: path });
}
