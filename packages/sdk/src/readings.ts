/** What meters sign. */

import { concatenate } from "./bytes.js";
import { READING_DOMAIN } from "./crypto.js";
import { encode } from "./encoder.js";
import type { Given } from "./kinds.js";
import { bytes, number, text, tuple, whole } from "./kinds.js";
import type { Reading } from "./messages.generated.js";

const REGISTER = whole(2n ** 53n);
const SIGNED = tuple(text(1, 64), bytes(8), number(2 ** 32 - 1), REGISTER, REGISTER);

/** The bytes that a meter signs for a reading on this chain. Throws Malformed for a value out of bounds. */
export function signedReading(
  chain: string,
  reading: Given<Pick<Reading, "meter" | "interval" | "importWh" | "exportWh">>,
): Uint8Array<ArrayBuffer> {
  const parts = [chain, reading.meter, reading.interval, reading.importWh, reading.exportWh];
  return concatenate(READING_DOMAIN, encode(SIGNED, parts));
}
