/**
 * Proofs about the state: one 32-byte root over every record of the ledger.
 *
 * The tree sees SHA-256(key) and SHA-256(value), joined to an item of 64 bytes. A subtree is all items whose key hash
 * begins with the same hexadecimal digits: at most 32 items make a bucket, SHA-256(0x00 ‖ items in order), or 32 zero
 * bytes when there is none; more make a node, SHA-256(0x01 ‖ the hashes of its 16 subtrees).
 */

import { bytesEqual, compareBytes, concatenate, fromHex, toHex } from "./bytes.js";
import { hashBytes } from "./crypto.js";

const BUCKET_ITEMS_MAX = 32;
const PATH_NODES_MAX = 63;
const ITEM_BYTES = 64;
const SIBLINGS_BYTES = 15 * 32;
const BUCKET = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** The bucket where a key is or would be, and for each node above it the 15 hashes beside the subtree proved. */
export interface Proof {
  readonly items: Uint8Array;
  readonly path: readonly Uint8Array[];
}

/** The proof in a gateway's document; undefined for anything that no state would have given. */
export function readProof(document: { readonly items: string; readonly path: readonly string[] }): Proof | undefined {
  const { items, path } = document;
  if (items.length > 2 * BUCKET_ITEMS_MAX * ITEM_BYTES || path.length > PATH_NODES_MAX) return undefined;
  if (path.some((siblings) => siblings.length > 2 * SIBLINGS_BYTES)) return undefined;
  const decoded = [items, ...path].map(fromHex);
  if (decoded.includes(undefined)) return undefined;
  const [bucket, ...above] = decoded as Uint8Array[];
  return { items: bucket!, path: above };
}

/**
 * Whether the proof shows that the state with this root holds `value` under `key`, or (null) nothing there. False for
 * every malformed proof; never throws.
 */
export function verify(root: Uint8Array, key: Uint8Array, value: Uint8Array | null, proof: Proof): boolean {
  const { items, path } = proof;
  if (path.length > PATH_NODES_MAX || items.length > BUCKET_ITEMS_MAX * ITEM_BYTES || items.length % ITEM_BYTES) {
    return false;
  }
  const keyHash = hashBytes(key);
  const digits = toHex(keyHash);
  const prefix = digits.slice(0, path.length);
  let found: Uint8Array | null = null;
  for (let start = 0; start < items.length; start += ITEM_BYTES) {
    const itemKey = items.subarray(start, start + 32);
    // In order, and no key twice.
    if (start > 0 && compareBytes(items.subarray(start - ITEM_BYTES, start - 32), itemKey) >= 0) return false;
    if (!toHex(itemKey).startsWith(prefix)) return false;
    if (bytesEqual(itemKey, keyHash)) found = items.subarray(start + 32, start + ITEM_BYTES);
  }
  let digest = items.length === 0 ? new Uint8Array(32) : hashBytes(BUCKET, items);
  for (const [height, siblings] of path.entries()) {
    if (siblings.length !== SIBLINGS_BYTES) return false;
    const place = 32 * Number.parseInt(digits[path.length - 1 - height]!, 16);
    digest = hashBytes(NODE, concatenate(siblings.subarray(0, place), digest, siblings.subarray(place)));
  }
  if (!bytesEqual(digest, root)) return false;
  if (found === null || value === null) return found === null && value === null;
  return bytesEqual(found, hashBytes(value));
}
