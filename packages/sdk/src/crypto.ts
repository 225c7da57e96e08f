/**
 * Hashes, signatures and Merkle lists, as the ledger has them. Each signed thing has a domain in front, so that no
 * signature can serve twice.
 */

import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256 } from "@noble/hashes/sha2.js";

import { bytesEqual, concatenate } from "./bytes.js";

export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
export const HASH_BYTES = 32;

export const TRANSACTION_DOMAIN = domain("transaction");
export const BATCH_DOMAIN = domain("batch");
export const READING_DOMAIN = domain("reading");
export const CHALLENGE_DOMAIN = domain("challenge");
export const KEYS_DOMAIN = domain("keys");
export const BLOCK_DOMAIN = domain("block");

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** `gridtokenx/NAME/1` and a zero byte. */
function domain(name: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`gridtokenx/${name}/1\0`);
}

/** SHA-256 of the parts, one after the other. */
export function hashBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(sha256(concatenate(...parts)));
}

/** Whether the Ed25519 signature (64 bytes) of `signed` is valid under ZIP-215, the ledger's rule. Never throws. */
export function signatureIsValid(signature: Uint8Array, signed: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES || publicKey.length !== PUBLIC_KEY_BYTES) return false;
  try {
    return ed25519.verify(signature, signed, publicKey, { zip215: true });
  } catch {
    return false;
  }
}

/**
 * Root over a list, as in RFC 6962 (leaf prefix 0x00, node prefix 0x01); an odd last node moves up unchanged. The empty
 * list has 32 zero bytes.
 */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let level = leaves.map((leaf) => hashBytes(LEAF, leaf));
  while (level.length > 1) {
    const above: Uint8Array<ArrayBuffer>[] = [];
    for (let place = 0; place < level.length; place += 2) {
      const right = level[place + 1];
      above.push(right === undefined ? level[place]! : hashBytes(NODE, level[place]!, right));
    }
    level = above;
  }
  return level[0] ?? new Uint8Array(HASH_BYTES);
}

/** A sibling on the way from a leaf to the root of a list. */
export interface MerkleStep {
  readonly right: boolean;
  readonly hash: Uint8Array;
}

/** Whether the path leads from the leaf to the root. */
export function merkleVerify(root: Uint8Array, leaf: Uint8Array, path: readonly MerkleStep[]): boolean {
  let current = hashBytes(LEAF, leaf);
  for (const step of path) {
    current = step.right ? hashBytes(NODE, current, step.hash) : hashBytes(NODE, step.hash, current);
  }
  return bytesEqual(current, root);
}
