/**
 * Sending for one's own account. A transaction is kept in this browser before its bytes leave, and forgotten when it is
 * known what became of it; until then the very same bytes are sent again, through broken lines and reloads. Several tabs
 * take different numbers: they sign one after the other, and each looks at what the others have under way.
 */

import { fromHex, NONCE_CODES, requireTaken, StillPending, toHex, TransactionRejected, TransportError, Unavailable } from "@gridtokenx/sdk";
import type { Client, Message, SignedTransaction, TransactionView } from "@gridtokenx/sdk";

import type { Session } from "./own.svelte";
import { SentBook, type Purpose, type Sent, type Store } from "./sent";

/** In chain time; a minute below what the ledger takes. A fast market gives a slow line some seconds only. */
const LIFETIME_MS = 540_000;
const WAIT_MS = 20_000;
const AGAIN_MS = 1_500;
/** Who waits longer for a first answer is told. */
const LATE_MS = 2_000;
const RESIGN_MAX = 4;
const FAILURES_SHOWN = 5;

/** What is under way, and what failed until somebody has seen it. `lost`: nobody answers at the moment. */
export interface Way {
  readonly sent: Sent;
  readonly state: "sending" | "lost" | "accepted" | "failed";
  readonly error?: unknown;
}

export class Sender {
  ways = $state.raw<readonly Way[]>([]);
  private readonly book: SentBook;

  constructor(store: Store) {
    this.book = new SentBook(store);
  }

  /**
   * What became of it, once that is known. Throws what asking throws as long as it is not signed; from then on (`signed` is
   * called) TransactionRejected and TransactionExpired, and never because nobody answers.
   */
  async send(
    session: Session,
    messages: readonly Message[],
    asked: Purpose,
    signed?: () => void,
  ): Promise<TransactionView> {
    for (let attempt = 1; ; attempt += 1) {
      const sent = await alone(() => this.sign(session, messages, asked));
      signed?.();
      try {
        return await this.deliver(session.client, sent, attempt < RESIGN_MAX);
      } catch (error) {
        if (attempt === RESIGN_MAX || !isNonceRefused(error)) throw error;
        // The refused one can never count any more: another number is no second order. What another device has under way
        // gets into a block meanwhile: only then the gateway tells its number.
        session.wallet.nonces.forget();
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  /** Go on with what was under way when the page was left. Needs no key. */
  async resume(client: Client, account: string): Promise<void> {
    const { chain } = await client.status();
    for (const sent of this.book.of(account, chain)) {
      if (this.ways.some((way) => way.sent.id === sent.id)) continue;
      // What became of it stands in `ways`.
      this.deliver(client, sent, false).catch(() => undefined);
    }
  }

  /** Somebody has seen that it failed. */
  dismiss(id: string): void {
    this.ways = this.ways.filter((way) => way.sent.id !== id);
  }

  private async sign({ wallet, client, account }: Session, messages: readonly Message[], asked: Purpose): Promise<Sent> {
    if (!wallet.nonces.isKnown) wallet.nonces.learn((await client.account(wallet)).nonceHighest);
    const { chain, timeMs } = await client.status();
    for (const other of this.book.of(account, chain)) wallet.nonces.learn(other.nonce);
    const signed = wallet.sign(chain, timeMs, messages, LIFETIME_MS);
    const { nonce, expiresMs } = signed;
    const sent = { ...asked, id: toHex(signed.id), wire: toHex(signed.wire), account, chain, nonce, expiresMs };
    this.book.add(sent);
    return sent;
  }

  private async deliver(client: Client, sent: Sent, mayResign: boolean): Promise<TransactionView> {
    this.become(sent, "sending");
    for (;;) {
      const late = setTimeout(() => this.become(sent, "lost"), LATE_MS);
      try {
        const view = await this.tryOnce(client, sent, () => clearTimeout(late));
        this.end(sent);
        return view;
      } catch (error) {
        if (!isTransient(error)) {
          this.end(sent, mayResign && isNonceRefused(error) ? undefined : error);
          throw error;
        }
        if (error instanceof TransportError || error instanceof Unavailable) this.become(sent, "lost");
      } finally {
        clearTimeout(late);
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  private async tryOnce(client: Client, sent: Sent, answered: () => void): Promise<TransactionView> {
    const transaction = transactionOf(sent);
    const answer = (await client.submit([transaction.wire]))[0]!;
    answered();
    let view: TransactionView | undefined;
    if (answer.state === "refused") {
      // A second refusal may hide that the first sending counted.
      view = await client.transaction(transaction.id);
      if (view.state !== "committed") requireTaken({ transaction, answer });
    } else {
      requireTaken({ transaction, answer });
      this.become(sent, "accepted");
    }
    if (view?.state !== "committed") view = await client.wait(transaction, { waitMs: WAIT_MS });
    if (view.code) {
      const place = { code: view.code, name: view.name ?? "" };
      throw new TransactionRejected("the ledger refused it", transaction.id, place);
    }
    return view;
  }

  private become(sent: Sent, state: Way["state"]): void {
    const known = this.ways.find((way) => way.sent.id === sent.id);
    // Once a node has it on its disk it stays accepted, whoever answers next.
    if (known?.state === "accepted" && state === "sending") return;
    const way = { sent, state };
    this.ways = known ? this.ways.map((each) => (each === known ? way : each)) : [...this.ways, way];
  }

  private end(sent: Sent, error?: unknown): void {
    this.book.remove(sent.id);
    const others = this.ways.filter((way) => way.sent.id !== sent.id);
    if (error === undefined) this.ways = others;
    else this.ways = [...others.slice(-FAILURES_SHOWN), { sent, state: "failed", error }];
  }
}

export const sender = new Sender(localStorageOrNone());

function transactionOf(sent: Sent): SignedTransaction {
  const [id, wire, sender] = [sent.id, sent.wire, sent.account].map((text) => fromHex(text) ?? new Uint8Array(0));
  return { id: id!, wire: wire!, sender: sender!, nonce: sent.nonce, expiresMs: sent.expiresMs };
}

function isTransient(error: unknown): boolean {
  return error instanceof TransportError || error instanceof Unavailable || error instanceof StillPending;
}

function isNonceRefused(error: unknown): boolean {
  return error instanceof TransactionRejected && NONCE_CODES.has(error.code);
}

/** One tab at a time, where the browser can see to that. */
async function alone<T>(work: () => Promise<T>): Promise<T> {
  const locks = navigator.locks as LockManager | undefined;
  return locks === undefined ? work() : ((await locks.request("gridtokenx.sign", work)) as T);
}

function localStorageOrNone(): Store {
  try {
    return localStorage;
  } catch {
    const kept = new Map<string, string>();
    return {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, value),
      removeItem: (key) => void kept.delete(key),
    };
  }
}
