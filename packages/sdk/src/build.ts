/** Making messages: what is given becomes a checked record. */

import { decode } from "./decoder.js";
import { encode } from "./encoder.js";
import type { Fields, RecordKind } from "./kinds.js";

/**
 * The message with these fields; bytes are copied. Throws Malformed, naming the field, when one is out of bounds, so that
 * a message that exists can be sent.
 */
export function build<T>(kind: RecordKind<T>, fields: Fields<T>): T {
  return Object.freeze(decode(kind, encode(kind, fields))) as T;
}
