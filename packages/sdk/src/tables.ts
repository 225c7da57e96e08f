/** Where records stand in the state: tables, keys, and reading a value that a proof has shown. */

import { concatenate } from "./bytes.js";
import { decode } from "./decoder.js";
import type { RecordKind } from "./kinds.js";

/** A table of the ledger's state (`docs/messages.md`). */
export interface Table<T> {
  readonly prefix: number;
  readonly record: RecordKind<T>;
}

/** The key of a record in the commitment: what `checkRecord` asks for. */
export function stateKey(table: Table<unknown>, key: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatenate(Uint8Array.of(table.prefix), key);
}

/** An order's key in its table. */
export function orderKey(account: Uint8Array, clientId: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatenate(account, clientId);
}

/** The key of a position or a statement. */
export function positionKey(interval: number, portfolio: Uint8Array): Uint8Array<ArrayBuffer> {
  const start = new Uint8Array(4);
  new DataView(start.buffer).setUint32(0, interval);
  return concatenate(start, portfolio);
}

/** The record in an encoded value. Throws Malformed. */
export function readRecord<T>(table: Table<T>, value: Uint8Array): T {
  return decode(table.record, value);
}
