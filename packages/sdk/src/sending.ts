/** What takes more than one question: sending with the right nonce, again when the node is busy, and waiting. */

import * as calls from "./calls.js";
import type { Client } from "./client.js";
import type { StatusView, Submitted, TransactionView } from "./documents.generated.js";
import { StillPending, TransactionExpired, TransactionRejected, Unavailable } from "./errors.js";
import type { Message } from "./messages.generated.js";
import { LIFETIME_MS } from "./transactions.js";
import type { SignedTransaction } from "./transactions.js";
import { PAUSES_MS } from "./transport.js";
import { NONCE_CODES } from "./wallet.js";
import type { Wallet } from "./wallet.js";

const WAIT_MS = 60_000;
/** How long a gateway is asked to hold an answer back. */
const POLL_MS_MAX = 10_000;
const RESIGN_MAX = 3;

/** What a sender may say. */
export interface SendOptions {
  /** From chain time now to the expiry; at most 600,000. */
  readonly lifetimeMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** What one who waits may say. */
export interface WaitOptions {
  readonly waitMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Both. */
export interface ExecuteOptions extends SendOptions, WaitOptions {}

/** A transaction and what the node said at its door. */
export interface Sent {
  readonly transaction: SignedTransaction;
  readonly answer: Submitted;
}

/**
 * An answer for each, in order; what the node is too busy for is sent again, as the same bytes. With `acceptance` those
 * that the node took carry its promise (`checkAcceptance`).
 */
export async function submit(
  client: Client,
  wires: readonly Uint8Array[],
  signal?: AbortSignal,
  acceptance = false,
): Promise<readonly Submitted[]> {
  const answers = [...(await client.ask(calls.submit(wires, acceptance), signal)).transactions];
  for (const milliseconds of PAUSES_MS) {
    const busy = [...answers.keys()].filter((place) => answers[place]!.state === "busy");
    if (busy.length === 0) break;
    await client.transport.pause(milliseconds, signal);
    const again = await client.ask(calls.submit(busy.map((place) => wires[place]!), acceptance), signal);
    busy.forEach((place, position) => {
      answers[place] = again.transactions[position] ?? answers[place]!;
    });
  }
  return answers;
}

/**
 * One transaction for each group of messages, submitted together. Refusals stand in the answers; after one about a nonce
 * the wallet asks the gateway before it signs again.
 */
export async function sendMany(
  client: Client,
  wallet: Wallet,
  groups: readonly (readonly Message[])[],
  { lifetimeMs = LIFETIME_MS, signal }: SendOptions,
): Promise<readonly Sent[]> {
  if (!wallet.nonces.isKnown) {
    const own = await client.account(wallet, { signal });
    wallet.nonces.learn(own.nonceHighest);
  }
  const now: StatusView = await client.status({ signal });
  const signed = groups.map((messages) => wallet.sign(now.chain, now.timeMs, messages, lifetimeMs));
  const answers = await submit(
    client,
    signed.map((transaction) => transaction.wire),
    signal,
  );
  const sent = signed.map((transaction, place) => ({ transaction, answer: answers[place]! }));
  if (sent.some(isNonceRefused)) wallet.nonces.forget();
  return sent;
}

/**
 * One transaction, on the node's disk when this returns. A refusal for its nonce is answered with a new signature, a few
 * times: the refused one can never count. Throws TransactionRejected, Unavailable when the node stays busy.
 */
export async function send(
  client: Client,
  wallet: Wallet,
  messages: readonly Message[],
  options: SendOptions,
): Promise<SignedTransaction> {
  for (let attempt = 1; ; attempt += 1) {
    const sent = (await sendMany(client, wallet, [messages], options))[0]!;
    if (!isNonceRefused(sent) || attempt === RESIGN_MAX) return requireTaken(sent);
  }
}

/** The transaction, if the node took it. Throws TransactionRejected, Unavailable when the node stayed busy. */
export function requireTaken({ transaction, answer }: Sent): SignedTransaction {
  if (answer.state === "busy") throw new Unavailable("the node is busy", 503, answer);
  if (answer.state === "refused") throw rejected(transaction.id, answer);
  return transaction;
}

/**
 * The transaction once it is in a block, whatever its code. Throws TransactionExpired when it never will be (for a signed
 * one also if the node has never heard of it), StillPending after `waitMs`.
 */
export async function wait(
  client: Client,
  transaction: SignedTransaction | Uint8Array,
  { waitMs = WAIT_MS, signal }: WaitOptions,
): Promise<TransactionView> {
  const [id, expiresMs] = transaction instanceof Uint8Array ? [transaction] : [transaction.id, transaction.expiresMs];
  const end = performance.now() + waitMs;
  for (;;) {
    const leftMs = Math.max(0, Math.floor(end - performance.now()));
    const view = await client.ask(calls.transaction(id, Math.min(leftMs, POLL_MS_MAX)), signal);
    if (view.state === "committed") return view;
    let gone = view.state === "expired";
    if (view.state === "unknown" && expiresMs !== undefined) {
      gone = (await client.status({ signal })).timeMs > expiresMs;
    }
    if (gone) throw new TransactionExpired("it has expired and is in no block", id);
    if (leftMs === 0) throw new StillPending(`in no block after ${waitMs} milliseconds`, id);
  }
}

/** Send and wait. Throws TransactionRejected also when the ledger refused it in its block. */
export async function execute(
  client: Client,
  wallet: Wallet,
  messages: readonly Message[],
  options: ExecuteOptions,
): Promise<TransactionView> {
  const sent = await send(client, wallet, messages, options);
  const view = await wait(client, sent, options);
  if (view.code) {
    if (NONCE_CODES.has(view.code)) wallet.nonces.forget();
    throw rejected(sent.id, { code: view.code, name: view.name ?? "" }, view.failed ?? undefined);
  }
  return view;
}

function isNonceRefused({ answer }: Sent): boolean {
  return answer.state === "refused" && NONCE_CODES.has(answer.code);
}

function rejected(
  transactionId: Uint8Array,
  answer: { readonly code: number; readonly name: string; readonly field?: string },
  failed?: number,
): TransactionRejected {
  return new TransactionRejected("the transaction was refused", transactionId, answer, failed);
}
