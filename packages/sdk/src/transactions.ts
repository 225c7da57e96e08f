/**
 * Building and signing transactions.
 *
 * A transaction is signed over the exact bytes of its body, which name the chain and an expiry in *chain time*: the caller
 * asks a gateway for that (`Client.status`), since the clock of this machine means nothing to the chain.
 */

import { compareBytes, bytesEqual, concatenate, toHex } from "./bytes.js";
import { hashBytes, KEYS_DOMAIN, TRANSACTION_DOMAIN } from "./crypto.js";
import { encode } from "./encoder.js";
import { SigningError } from "./errors.js";
import { bytes, list, number, tuple } from "./kinds.js";
import type { PrivateKey } from "./keys.js";
import type { Message } from "./messages.generated.js";
import { Auth, Body, Envelope } from "./records.generated.js";

export const ALGORITHM_ED25519 = 0;
export const KEYS_PER_ACCOUNT_MAX = 16;
export const MESSAGES_PER_TRANSACTION_MAX = 64;
export const TRANSACTION_BYTES_MAX = 16_384;

/** Half of what the ledger allows: the chain may be some blocks behind what its gateway said a moment ago. */
export const LIFETIME_MS = 300_000;

const KEY_LIST = tuple(number(255), number(255), list(bytes(32), 0, KEYS_PER_ACCOUNT_MAX));

/** Whose signature it is. */
export interface Signature {
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
}

/** Who may sign for an account: `threshold` of `keys`, which ascend. */
export class KeyList {
  readonly algorithm = ALGORITHM_ED25519;

  /** Throws SigningError for a list that no account may have. */
  constructor(
    readonly keys: readonly Uint8Array[],
    readonly threshold = 1,
  ) {
    const ascending = keys.every((key, place) => place === 0 || compareBytes(keys[place - 1]!, key) < 0);
    const sized = keys.length <= KEYS_PER_ACCOUNT_MAX && keys.every((key) => key.length === 32);
    if (!ascending || !sized || !Number.isInteger(threshold) || threshold < 1 || threshold > keys.length) {
      const detail = "a key list has 1 to 16 different keys in ascending order and a threshold between 1 and their number";
      throw new SigningError(detail, { field: "keys" });
    }
  }

  /** The list of these keys in any order. */
  static of(publicKeys: Iterable<Uint8Array>, threshold = 1): KeyList {
    return new KeyList([...publicKeys].sort(compareBytes), threshold);
  }

  /** What an account remembers; for the keys it was opened with, its id. */
  hash(): Uint8Array<ArrayBuffer> {
    return hashBytes(KEYS_DOMAIN, encode(KEY_LIST, [this.algorithm, this.threshold, this.keys]));
  }

  /** Where a key stands in the list; -1 for a stranger. */
  indexOf(publicKey: Uint8Array): number {
    return this.keys.findIndex((key) => bytesEqual(key, publicKey));
  }

  /**
   * The lowest `threshold` signatures in the ledger's form. Throws SigningError when there are too few, or one by a key
   * that is not in the list.
   */
  auth(signatures: readonly Signature[]): Auth {
    const stranger = signatures.find((each) => this.indexOf(each.publicKey) < 0);
    if (stranger !== undefined) {
      throw new SigningError(`key ${toHex(stranger.publicKey)} is none of the account's`, { field: "keys" });
    }
    const placed = new Map(signatures.map((each) => [this.indexOf(each.publicKey), each.signature]));
    if (placed.size < this.threshold) {
      throw new SigningError(`${placed.size} of ${this.threshold} signatures`, { field: "signatures" });
    }
    const lowest = [...placed].sort((one, other) => one[0] - other[0]).slice(0, this.threshold);
    return { algorithm: this.algorithm, threshold: this.threshold, keys: this.keys, signatures: lowest };
  }
}

/** What is sent. Sending the same bytes again is harmless: the nonce is used once. */
export interface SignedTransaction {
  readonly id: Uint8Array;
  readonly wire: Uint8Array;
  readonly sender: Uint8Array;
  readonly nonce: number;
  readonly expiresMs: number;
}

/** What is to be signed. */
export interface TransactionDraft {
  readonly chain: string;
  readonly sender: Uint8Array;
  readonly nonce: number;
  readonly expiresMs: number;
  readonly messages: readonly Message[];
}

/** The bytes to be signed. Throws SigningError for no messages or too many, Malformed for a value out of bounds. */
export function buildBody(draft: TransactionDraft): Uint8Array<ArrayBuffer> {
  const count = draft.messages.length;
  if (count < 1 || count > MESSAGES_PER_TRANSACTION_MAX) {
    const detail = `a transaction has 1 to ${MESSAGES_PER_TRANSACTION_MAX} messages, not ${count}`;
    throw new SigningError(detail, { field: "messages" });
  }
  return encode(Body, draft);
}

/** One signature of a transaction. */
export function signBody(body: Uint8Array, key: PrivateKey): Uint8Array<ArrayBuffer> {
  return key.sign(concatenate(TRANSACTION_DOMAIN, body));
}

/** The bytes to be sent. Throws SigningError when they are too many for the ledger. */
export function finish(body: Uint8Array, auth: Auth): Uint8Array<ArrayBuffer> {
  const wire = encode(Envelope, { body, auth });
  if (wire.length > TRANSACTION_BYTES_MAX) {
    throw new SigningError(`${wire.length} bytes, at most ${TRANSACTION_BYTES_MAX}`, { field: "messages" });
  }
  return wire;
}

/** The name of the transaction with this body. */
export function transactionId(body: Uint8Array): Uint8Array<ArrayBuffer> {
  return hashBytes(body);
}

/** A whole transaction by keys that are all at hand. Errors as for its parts. */
export function sign(draft: TransactionDraft, keys: KeyList, signers: readonly PrivateKey[]): SignedTransaction {
  const body = buildBody(draft);
  const auth = keys.auth(
    signers.map((signer) => ({ publicKey: signer.publicKey, signature: signBody(body, signer) })),
  );
  const { sender, nonce, expiresMs } = draft;
  return { id: transactionId(body), wire: finish(body, auth), sender, nonce, expiresMs };
}
