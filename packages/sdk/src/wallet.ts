/** A wallet: one account, the keys of it that are at hand, and its nonces. */

import { concatenate } from "./bytes.js";
import { KernelCode } from "./codes.generated.js";
import { CHALLENGE_DOMAIN } from "./crypto.js";
import { SigningError } from "./errors.js";
import type { PrivateKey } from "./keys.js";
import type { Message } from "./messages.generated.js";
import type { Auth } from "./records.generated.js";
import { KeyList, LIFETIME_MS, sign } from "./transactions.js";
import type { SignedTransaction } from "./transactions.js";

/** After one of these the wallet's count is wrong: `Nonces.forget`. */
export const NONCE_CODES: ReadonlySet<number> = new Set([
  KernelCode.NONCE_USED,
  KernelCode.NONCE_TOO_OLD,
  KernelCode.NONCE_JUMP,
]);

/**
 * Counts nonces: the gateway is asked for the highest once, then each transaction takes the next. The ledger takes 1,024
 * nonces in any order, so transactions may overtake each other.
 */
export class Nonces {
  private highest: number | undefined;

  /** False until `learn`, and after `forget`. */
  get isKnown(): boolean {
    return this.highest !== undefined;
  }

  /** What the gateway says of the account; never goes back below what is counted already. */
  learn(highest: number): void {
    this.highest = Math.max(this.highest ?? 0, highest);
  }

  /** The count was wrong (another device with the same key, or too many lost): ask the gateway again. */
  forget(): void {
    this.highest = undefined;
  }

  /** The next nonce. Throws SigningError before `learn`. */
  take(): number {
    if (this.highest === undefined) {
      throw new SigningError("the account's highest nonce is not known yet: ask the gateway", { field: "nonce" });
    }
    this.highest += 1;
    return this.highest;
  }
}

/** What a wallet may be told besides its signers. */
export interface WalletOptions {
  /** The account's present key list; by default the signers' own with all of them needed. */
  readonly keys?: KeyList;
  /** The account's id, which is the hash of its *first* keys; to be given after a rotation. */
  readonly account?: Uint8Array;
  /** A count that goes on, of another wallet of this account. */
  readonly nonces?: Nonces;
}

/** Signs for one account with the keys at hand, which must be enough for its threshold. */
export class Wallet {
  readonly keys: KeyList;
  readonly account: Uint8Array;
  readonly nonces: Nonces;
  readonly #signers: readonly PrivateKey[];

  /** Throws SigningError when the signers do not reach the threshold, or are none of the account's. */
  constructor(signers: readonly PrivateKey[], options: WalletOptions = {}) {
    const publicKeys = signers.map((signer) => signer.publicKey);
    this.keys = options.keys ?? KeyList.of(publicKeys, signers.length);
    const mine = new Map(signers.map((signer) => [this.keys.indexOf(signer.publicKey), signer]));
    if (mine.has(-1) || mine.size < this.keys.threshold) {
      const needed = `${this.keys.threshold} of the account's ${this.keys.keys.length} needed`;
      throw new SigningError(`${signers.length} keys at hand, ${needed}`, { field: "keys" });
    }
    const placed = [...mine].sort((one, other) => one[0] - other[0]);
    this.#signers = placed.slice(0, this.keys.threshold).map(([, signer]) => signer);
    this.account = options.account ?? this.keys.hash();
    this.nonces = options.nonces ?? new Nonces();
  }

  /**
   * A transaction with the next nonce that expires `lifetimeMs` after `chainTimeMs`. Throws SigningError when the nonce is
   * not known yet or the messages do not fit.
   */
  sign(
    chain: string,
    chainTimeMs: number,
    messages: readonly Message[],
    lifetimeMs: number = LIFETIME_MS,
  ): SignedTransaction {
    const nonce = this.nonces.take();
    const draft = { chain, sender: this.account, nonce, expiresMs: chainTimeMs + lifetimeMs, messages };
    return sign(draft, this.keys, this.#signers);
  }

  /** Proof to a gateway that the account's keys are at hand. */
  signChallenge(challenge: Uint8Array): Auth {
    const signed = concatenate(CHALLENGE_DOMAIN, challenge);
    return this.keys.auth(
      this.#signers.map((signer) => ({ publicKey: signer.publicKey, signature: signer.sign(signed) })),
    );
  }

  /** The same account after a rotation to these keys; nonces go on. */
  withKeys(signers: readonly PrivateKey[], keys?: KeyList): Wallet {
    return new Wallet(signers, { ...(keys && { keys }), account: this.account, nonces: this.nonces });
  }
}
