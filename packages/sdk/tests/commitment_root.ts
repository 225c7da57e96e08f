/** The root of the state commitment, as its definition says it: what the vectors of whole trees are checked with. */

import { concatenate, hashBytes, toHex } from "../src/index.js";
import { unhex } from "./plain.js";

interface Item {
  readonly digits: string;
  readonly bytes: Uint8Array;
}

/** Of records in hexadecimal; `isHashed`: keys and values are hashes already. */
export function commitmentRoot(records: ReadonlyMap<string, string>, isHashed: boolean): Uint8Array {
  const items = [...records].map(([key, value]) => {
    const [keyHash, valueHash] = [key, value].map((text) => (isHashed ? unhex(text) : hashBytes(unhex(text))));
    return { digits: toHex(keyHash!), bytes: concatenate(keyHash!, valueHash!) };
  });
  items.sort((one, other) => (one.digits < other.digits ? -1 : 1));
  return subtreeHash(items, 0);
}

function subtreeHash(items: readonly Item[], depth: number): Uint8Array {
  if (items.length === 0) return new Uint8Array(32);
  if (items.length <= 32) return hashBytes(Uint8Array.of(0), ...items.map((item) => item.bytes));
  const children = [..."0123456789abcdef"].map((digit) =>
    subtreeHash(
      items.filter((item) => item.digits[depth] === digit),
      depth + 1,
    ),
  );
  return hashBytes(Uint8Array.of(1), ...children);
}
