/** Ed25519 keys. */

import { ed25519 } from "@noble/curves/ed25519.js";

import { randomBytes, toHex } from "./bytes.js";
import { KeystoreError } from "./errors.js";

export const SECRET_BYTES = 32;

/** A key that signs. Its text and JSON forms show the public key only. */
export class PrivateKey {
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly #secret: Uint8Array<ArrayBuffer>;

  /** `secret` is 32 random bytes; throws KeystoreError for any other length. */
  constructor(secret: Uint8Array) {
    if (secret.length !== SECRET_BYTES) {
      throw new KeystoreError(`a secret key has ${SECRET_BYTES} bytes, not ${secret.length}`);
    }
    this.#secret = new Uint8Array(secret);
    this.publicKey = new Uint8Array(ed25519.getPublicKey(this.#secret));
  }

  /** A new key from the operating system's randomness. */
  static generate(): PrivateKey {
    return new PrivateKey(randomBytes(SECRET_BYTES));
  }

  /** The 32 secret bytes. */
  secret(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#secret);
  }

  /** The signature, 64 bytes. */
  sign(data: Uint8Array): Uint8Array<ArrayBuffer> {
    return new Uint8Array(ed25519.sign(data, this.#secret));
  }

  toString(): string {
    return `PrivateKey(${toHex(this.publicKey)})`;
  }

  toJSON(): string {
    return this.toString();
  }
}
