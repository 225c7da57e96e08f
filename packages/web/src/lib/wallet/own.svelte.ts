/**
 * One's own key: none, locked, or open. The secret is in this page's memory while it is open and nowhere else; what is
 * kept is the key file of the SDK, which a passphrase encrypts. Only for play money a key may be kept plain, and then it
 * is always open.
 */

import { decryptKey, developmentKeyFile, encryptKey, fromHex, KeyList, PrivateKey, readKeyFile, toHex, Wallet } from "@gridtokenx/sdk";
import type { Client, KeyFile, Progress } from "@gridtokenx/sdk";

import { newClient } from "../market";
import { watchIdle } from "./idle";
import { presence } from "./present.svelte";

/** Nobody touched the page for so long: the key is put away. */
export const IDLE_MS = 15 * 60_000;

/** A key that is at hand, and the connection in which it has signed in. The connection's tokens end with it. */
export interface Session {
  readonly wallet: Wallet;
  readonly client: Client;
  /** The account's id in hexadecimal. */
  readonly account: string;
}

interface Opened {
  readonly file: string;
  readonly key: PrivateKey;
  readonly session: Session;
}

class Own {
  #opened = $state.raw<Opened>();
  /** Why the key is locked, if it was open before. */
  lockedBy = $state<"idle" | "hand">();
  /** False when the browser keeps nothing: the key is gone with the page unless its words are written down. */
  isKept = $state(true);
  #endWatch: (() => void) | undefined;

  /** The key file, if it is one. */
  get file(): KeyFile | undefined {
    if (presence.keyFile === null) return undefined;
    try {
      return readKeyFile(presence.keyFile);
    } catch {
      return undefined;
    }
  }

  /** `broken`: what is kept is no key file. */
  get state(): "none" | "broken" | "locked" | "open" {
    if (presence.keyFile === null) return "none";
    // Another tab may have put another key there: then the one at hand is not it.
    if (this.#opened?.file === presence.keyFile) return "open";
    return this.file === undefined ? "broken" : "locked";
  }

  get session(): Session | undefined {
    return this.state === "open" ? this.#opened!.session : undefined;
  }

  get isProtected(): boolean {
    return this.file?.protection != null;
  }

  /** The account that the kept key opens, in hexadecimal; also while it is locked. */
  get account(): string | undefined {
    const publicKey = this.file && fromHex(this.file.public_key);
    return publicKey && toHex(KeyList.of([publicKey]).hash());
  }

  /** Keep a key from now on: under a passphrase, or plain. */
  async keep(key: PrivateKey, passphrase?: string, onProgress?: Progress): Promise<void> {
    const file = passphrase
      ? await encryptKey(key, passphrase, onProgress ? { onProgress } : {})
      : developmentKeyFile(key);
    this.isKept = presence.keep(file);
    this.#open(file, key);
  }

  /** Throws PassphraseWrong, PassphraseMissing, KeyFileCorrupt. */
  async unlock(passphrase?: string, onProgress?: Progress): Promise<void> {
    const file = presence.keyFile;
    if (file === null || this.state === "open") return;
    this.#open(file, await decryptKey(file, passphrase, onProgress));
  }

  /** Keep a key file from elsewhere as it is, once it has opened. Throws as `unlock`, and keeps nothing then. */
  async adopt(file: string, passphrase?: string, onProgress?: Progress): Promise<void> {
    const key = await decryptKey(file, passphrase, onProgress);
    this.isKept = presence.keep(file);
    this.#open(file, key);
  }

  lock(by: "idle" | "hand" = "hand"): void {
    if (!this.isProtected) return;
    this.#close();
    this.lockedBy = by;
  }

  /** This browser holds no key any more. Whoever has neither words nor file has lost the account. */
  forget(): void {
    this.#close();
    presence.keep(null);
  }

  /** The open key itself, to show its words. */
  reveal(): PrivateKey | undefined {
    return this.state === "open" ? this.#opened!.key : undefined;
  }

  #open(file: string, key: PrivateKey): void {
    this.#close();
    const wallet = new Wallet([key]);
    this.#opened = { file, key, session: { wallet, client: newClient(), account: toHex(wallet.account) } };
    this.lockedBy = undefined;
    if (this.isProtected) this.#endWatch = watchIdle(window, IDLE_MS, () => this.lock("idle"));
  }

  #close(): void {
    this.#endWatch?.();
    this.#endWatch = undefined;
    this.#opened = undefined;
  }
}

export const own = new Own();
