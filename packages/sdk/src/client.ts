/**
 * Asking a gateway: one method a route.
 *
 *     const client = new Client("http://127.0.0.1:8545");
 *     const wallet = new Wallet([keyFromPhrase(words)]);
 *     const view = await client.execute(wallet, [sellOrder({ ... })]);
 *
 * Every call may be repeated without harm, so one that got no answer, or that the gateway could not do at the moment, is
 * repeated a few times with growing pauses. A transaction is sent again as the very same bytes: it counts once. Methods
 * throw the errors of `errors.ts`; those that take a wallet sign in by themselves. An aborted signal ends a method with
 * the signal's own reason.
 */

import { fromHex, toHex, bytesEqual } from "./bytes.js";
import * as calls from "./calls.js";
import type { Call } from "./calls.js";
import { GatewayCode } from "./codes.generated.js";
import { decode } from "./decoder.js";
import type * as documents from "./documents.generated.js";
import { AnswerNotUnderstood, Malformed, NotAuthorised, WrongChain } from "./errors.js";
import type { Message } from "./messages.generated.js";
import { Challenge } from "./records.generated.js";
import * as sending from "./sending.js";
import type { ExecuteOptions, SendOptions, Sent, WaitOptions } from "./sending.js";
import { Stream } from "./stream.js";
import type { StreamOptions } from "./stream.js";
import { Transport } from "./transport.js";
import type { TransportOptions } from "./transport.js";
import type { SignedTransaction } from "./transactions.js";
import type { Wallet } from "./wallet.js";

export const DEFAULT_URL = "http://127.0.0.1:8545";

/** What a client may be told. */
export interface ClientOptions extends TransportOptions {
  /** Refuse to talk to another chain; by default the first that answers. */
  readonly chain?: string;
}

/** What each method may be told. */
export interface Asking {
  readonly signal?: AbortSignal | undefined;
}

/** A page of something. */
export interface Page extends Asking {
  readonly limit?: number;
}

/** Which record of one's own a proof is asked for: `order` with `clientId`, the last two with the other names. */
export interface RecordWanted extends Asking {
  readonly record?: "account" | "order" | "position" | "statement";
  readonly clientId?: Uint8Array;
  readonly interval?: number;
  readonly portfolio?: Uint8Array;
}

/** Versions that blocks of these heights wrote, both included; without them all that is known. */
export interface Heights extends Page {
  readonly first?: number;
  readonly last?: number;
}

function recordQuery(wanted: RecordWanted): calls.Query {
  return {
    record: wanted.record ?? "account",
    client_id: wanted.clientId && toHex(wanted.clientId),
    interval: wanted.interval,
    portfolio: wanted.portfolio && toHex(wanted.portfolio),
  };
}

/** Which bill. */
export interface BillWanted extends Asking {
  readonly day?: string;
  readonly month?: string;
  readonly portfolio?: Uint8Array;
}

/** Asks and gives answers as promises. */
export class Client {
  readonly transport: Transport;
  #chain: string | undefined;
  readonly #tokens = new Map<string, Promise<string>>();

  /** `url` is that of the gateway; throws AddressInvalid. */
  constructor(url: string = DEFAULT_URL, options: ClientOptions = {}) {
    this.transport = new Transport(url, options);
    this.#chain = options.chain;
  }

  /** Where the chain is, and its time. Throws WrongChain if it is not the one that this client talks to. */
  async status({ signal }: Asking = {}): Promise<documents.StatusView> {
    const view = await this.ask(calls.status(), signal);
    this.requireChain(view.chain);
    return view;
  }

  /** Whether the gateway can do its work; else why not. */
  async health({ signal }: Asking = {}): Promise<documents.HealthView> {
    return this.ask(calls.health(), signal);
  }

  /** All codes and their names. */
  async codes({ signal }: Asking = {}): Promise<documents.Codes> {
    return this.ask(calls.codes(), signal);
  }

  /** Delivery intervals that are open or not final yet. */
  async intervals({ start, limit, signal }: Page & { start?: number } = {}): Promise<documents.Intervals> {
    return this.ask(calls.intervals(start, limit), signal);
  }

  /** One of them. */
  async interval(number: number, { signal }: Asking = {}): Promise<documents.IntervalView> {
    return this.ask(calls.interval(number), signal);
  }

  /** Depth; with a feeder also by delivered price. */
  async book(
    number: number,
    { feeder, levels, signal }: Asking & { feeder?: number; levels?: number } = {},
  ): Promise<documents.BookView> {
    return this.ask(calls.book(number, feeder, levels), signal);
  }

  /** Reference prices of an interval, with their parts, bands and halts. */
  async prices(number: number, { signal }: Asking = {}): Promise<documents.PricesView> {
    return this.ask(calls.prices(number), signal);
  }

  /** Block orders that wait beside the books, without names. */
  async blockOrders({ signal }: Asking = {}): Promise<documents.BlockOrders> {
    return this.ask(calls.blockOrders(), signal);
  }

  /** The auction of an interval: indicative in its call phase, final after it. */
  async auction(number: number, { signal }: Asking = {}): Promise<documents.AuctionView> {
    return this.ask(calls.auction(number), signal);
  }

  /** How its indicative outcome changed in its call phase. */
  async auctionHistory(number: number, { signal }: Asking = {}): Promise<documents.CallHistory> {
    return this.ask(calls.auctionHistory(number), signal);
  }

  /** Supply and demand of a zone in it. */
  async auctionCurves(number: number, zone: number, { signal }: Asking = {}): Promise<documents.CallCurves> {
    return this.ask(calls.auctionCurves(number, zone), signal);
  }

  /** Zones and borders of an interval: prices, flows, what is free. */
  async network(number: number, { signal }: Asking = {}): Promise<documents.NetworkView> {
    return this.ask(calls.network(number), signal);
  }

  /** The feeders of a zone in an interval, with their links. */
  async zoneFeeders(
    number: number,
    zone: number,
    { after, limit, signal }: Page & { after?: number } = {},
  ): Promise<documents.ZoneFeeders> {
    return this.ask(calls.zoneFeeders(number, zone, after, limit), signal);
  }

  /** Trades of one interval. */
  async intervalTrades(
    number: number,
    { after, limit, signal }: Page & { after?: number } = {},
  ): Promise<documents.Trades> {
    return this.ask(calls.intervalTrades(number, after, limit), signal);
  }

  /** Trades of all intervals; without `after` the newest. */
  async trades({ after, limit, signal }: Page & { after?: number } = {}): Promise<documents.Trades> {
    return this.ask(calls.trades(after, limit), signal);
  }

  /** Blocks, newest first. */
  async blocks({ before, limit, signal }: Page & { before?: number } = {}): Promise<documents.Blocks> {
    return this.ask(calls.blocks(before, limit), signal);
  }

  /** One block with its batches. */
  async block(height: number, { signal }: Asking = {}): Promise<documents.BlockView> {
    return this.ask(calls.block(height), signal);
  }

  /** A block's consensus header, and the votes that made it final. */
  async consensusCommit(height: number, { signal }: Asking = {}): Promise<documents.CommitAnswer> {
    return this.ask(calls.consensusCommit(height), signal);
  }

  /** Who votes on a block, with which power. */
  async consensusValidators(height: number, { signal }: Asking = {}): Promise<documents.ValidatorsAnswer> {
    return this.ask(calls.consensusValidators(height), signal);
  }

  /** State of a transaction: now, or once it is in a block or `waitMs` are over. */
  async transaction(
    transactionId: Uint8Array,
    { waitMs, signal }: Asking & { waitMs?: number } = {},
  ): Promise<documents.TransactionView> {
    return this.ask(calls.transaction(transactionId, waitMs), signal);
  }

  /** What shows a stranger what became of it (`checkReceipt`). */
  async receiptProof(transactionId: Uint8Array, { signal }: Asking = {}): Promise<documents.ReceiptProof> {
    return this.ask(calls.receiptProof(transactionId), signal);
  }

  /** One's own account; of an archive also as it was after the block of a `height`. */
  async account(wallet: Wallet, { height, signal }: Asking & { height?: number } = {}): Promise<documents.AccountView> {
    return this.personal(wallet, calls.account(wallet.account, height), signal);
  }

  /** Versions of one's own record that blocks from `first` to `last` wrote; of an archive. */
  async ownVersions(
    wallet: Wallet,
    { first, last, limit, signal, ...wanted }: RecordWanted & Heights = {},
  ): Promise<documents.RecordVersions> {
    const query = { ...recordQuery(wanted), first, last, limit };
    return this.personal(wallet, calls.ownVersions(wallet.account, query), signal);
  }

  /** A public record as it was after the block of a `height`; of an archive. */
  async pastRecord(
    table: string,
    key: Uint8Array,
    { height, signal }: Asking & { height?: number } = {},
  ): Promise<documents.PastRecord> {
    return this.ask(calls.pastRecord(table, key, height), signal);
  }

  /** Versions of a public record that blocks from `first` to `last` wrote; of an archive. */
  async versions(
    table: string,
    key: Uint8Array,
    { first, last, limit, signal }: Heights = {},
  ): Promise<documents.RecordVersions> {
    return this.ask(calls.versions(table, key, { first, last, limit }), signal);
  }

  /** One's own orders, `open` or `gone`. */
  async orders(
    wallet: Wallet,
    { state = "open", after, limit, signal }: Page & { state?: "open" | "gone"; after?: string } = {},
  ): Promise<documents.Orders> {
    return this.personal(wallet, calls.orders(wallet.account, { state, after: after || undefined, limit }), signal);
  }

  /** State of one's own order, also when it is gone. */
  async order(wallet: Wallet, clientId: Uint8Array, { signal }: Asking = {}): Promise<documents.OrderView> {
    return this.personal(wallet, calls.order(wallet.account, clientId), signal);
  }

  /** What one's own portfolios traded. */
  async positions(
    wallet: Wallet,
    { start, limit, signal }: Page & { start?: number } = {},
  ): Promise<documents.Positions> {
    return this.personal(wallet, calls.positions(wallet.account, { start, limit }), signal);
  }

  /** Results of settled intervals. */
  async statements(
    wallet: Wallet,
    { after, limit, portfolio, signal }: Page & { after?: number; portfolio?: Uint8Array } = {},
  ): Promise<documents.Statements> {
    const query = { after, limit, portfolio: portfolio && toHex(portfolio) };
    return this.personal(wallet, calls.statements(wallet.account, query), signal);
  }

  /** One's own portfolios, their members and memberships. */
  async portfolios(wallet: Wallet, { signal }: Asking = {}): Promise<documents.OwnPortfolios> {
    return this.personal(wallet, calls.portfolios(wallet.account), signal);
  }

  /** How results of portfolios with members were split. */
  async splits(wallet: Wallet, { after, limit, signal }: Page & { after?: number } = {}): Promise<documents.SplitsOfAccount> {
    return this.personal(wallet, calls.splits(wallet.account, { after, limit }), signal);
  }

  /** What is missing of one's own duties as a maker. */
  async duties(wallet: Wallet, { after, limit, signal }: Page & { after?: number } = {}): Promise<documents.OwnDuties> {
    return this.personal(wallet, calls.duties(wallet.account, { after, limit }), signal);
  }

  /** Proof of one's own record (`checkRecord`). */
  async recordProof(wallet: Wallet, wanted: RecordWanted = {}): Promise<documents.RecordProof> {
    return this.personal(wallet, calls.recordProof(wallet.account, recordQuery(wanted)), wanted.signal);
  }

  /** One's own bill of a day (`YYYY-MM-DD`) or a month (`YYYY-MM`) in Bangkok; without either of the chain's day. */
  async bill(wallet: Wallet, wanted: BillWanted = {}): Promise<documents.Bill> {
    const query = { day: wanted.day, month: wanted.month, portfolio: wanted.portfolio && toHex(wanted.portfolio) };
    return this.personal(wallet, calls.bill(wallet.account, query), wanted.signal);
  }

  /** Settled intervals, summed over all homes. */
  async community({ start, limit, signal }: Page & { start?: number } = {}): Promise<documents.Community> {
    return this.ask(calls.community(start, limit), signal);
  }

  /** What the market was worth to all homes together. */
  async savings({ signal }: Asking = {}): Promise<documents.Savings> {
    return this.ask(calls.savings(), signal);
  }

  /** Blocks, transactions, accounts and intervals that the words may mean. */
  async search(words: string, { signal }: Asking = {}): Promise<documents.SearchResults> {
    return this.ask(calls.search(words), signal);
  }

  /** The parameters of the market, and when the tariff is high. */
  async terms({ signal }: Asking = {}): Promise<documents.TermsInForce> {
    return this.ask(calls.terms(), signal);
  }

  /** Portfolios that sites can join, and their rules. */
  async aggregators({ signal }: Asking = {}): Promise<documents.Aggregators> {
    return this.ask(calls.aggregators(), signal);
  }

  /** Programmes for makers, and who keeps them how. */
  async makers({ signal }: Asking = {}): Promise<documents.Makers> {
    return this.ask(calls.makers(), signal);
  }

  /** A maker's presence, interval by interval. */
  async maker(portfolio: Uint8Array, { signal }: Asking = {}): Promise<documents.MakerDuties> {
    return this.ask(calls.maker(portfolio), signal);
  }

  /** Zones and feeders. */
  async places({ signal }: Asking = {}): Promise<documents.Places> {
    return this.ask(calls.places(), signal);
  }

  /** What anybody may know of an account. */
  async publicAccount(id: Uint8Array, { signal }: Asking = {}): Promise<documents.PublicAccount> {
    return this.ask(calls.publicAccount(id), signal);
  }

  /** Who runs the chain: members, terms, powers, validators. */
  async authorities({ signal }: Asking = {}): Promise<documents.Authorities> {
    return this.ask(calls.authorities(), signal);
  }

  /** One member, with its documents and what is proved against it. */
  async authority(member: Uint8Array, { signal }: Asking = {}): Promise<documents.MemberDetail> {
    return this.ask(calls.authority(member), signal);
  }

  /** What members propose and decide, newest first: those that are open, or decided, or all. */
  async proposals(
    { state, before, limit, signal }: Page & { state?: "open" | "decided"; before?: number } = {},
  ): Promise<documents.Proposals> {
    return this.ask(calls.proposals({ state, before, limit }), signal);
  }

  /** How the chain served, day by day; without `before` the newest days. */
  async availability({ before, limit, signal }: Page & { before?: number } = {}): Promise<documents.Availability> {
    return this.ask(calls.availability(before, limit), signal);
  }

  /** Whether this market gives play money and a small site to visitors. */
  async faucet({ signal }: Asking = {}): Promise<documents.FaucetView> {
    return this.ask(calls.faucet(), signal);
  }

  /** Join the market with the wallet's keys, which no account has yet. Asking again for the same keys is harmless. */
  async join(wallet: Wallet, profile: string, { signal }: Asking = {}): Promise<documents.FaucetAnswer> {
    const challenge = await this.challenge(wallet, signal);
    return this.ask(calls.join(challenge, wallet.signChallenge(challenge), profile), signal);
  }

  /**
   * Send signed transactions; an answer for each, in order. With `acceptance` those that the node took carry its signed
   * promise (`checkAcceptance`).
   */
  async submit(
    wires: readonly Uint8Array[],
    { signal, acceptance }: Asking & { readonly acceptance?: boolean } = {},
  ): Promise<readonly documents.Submitted[]> {
    return sending.submit(this, wires, signal, acceptance);
  }

  /** Sign and send one transaction; it is on the node's disk when this returns. Throws TransactionRejected. */
  async send(wallet: Wallet, messages: readonly Message[], options: SendOptions = {}): Promise<SignedTransaction> {
    return sending.send(this, wallet, messages, options);
  }

  /** One transaction for each group of messages, sent together; refusals stand in the answers. */
  async sendMany(
    wallet: Wallet,
    groups: readonly (readonly Message[])[],
    options: SendOptions = {},
  ): Promise<readonly Sent[]> {
    return sending.sendMany(this, wallet, groups, options);
  }

  /** The transaction once it is in a block, whatever its code. Throws TransactionExpired, StillPending. */
  async wait(
    transaction: SignedTransaction | Uint8Array,
    options: WaitOptions = {},
  ): Promise<documents.TransactionView> {
    return sending.wait(this, transaction, options);
  }

  /** Send and wait. Throws TransactionRejected also when the ledger refused it in its block. */
  async execute(
    wallet: Wallet,
    messages: readonly Message[],
    options: ExecuteOptions = {},
  ): Promise<documents.TransactionView> {
    return sending.execute(this, wallet, messages, options);
  }

  /** Hear of `blocks`, `trades`, `book:{interval}`, and with a wallet `account`; to be used with `for await`. */
  stream(topics: readonly string[], wallet?: Wallet, options: StreamOptions = {}): Stream {
    return new Stream(this.transport.url, topics, wallet && (() => this.token(wallet)), options);
  }

  /** A session's token for the wallet's account, new. */
  async token(wallet: Wallet): Promise<string> {
    const owner = toHex(wallet.account);
    const opening = this.signIn(wallet);
    this.#tokens.set(owner, opening);
    // One that failed is not remembered; whoever waits for it hears why.
    opening.catch(() => {
      if (this.#tokens.get(owner) === opening) this.#tokens.delete(owner);
    });
    return opening;
  }

  /** Ask anything that needs no session. */
  async ask<T>(call: Call<T>, signal?: AbortSignal): Promise<T> {
    return this.transport.ask(call, undefined, signal);
  }

  /** Ask for something of one's own; signs in when there is no session, or it has ended. */
  async personal<T>(wallet: Wallet, call: Call<T>, signal?: AbortSignal): Promise<T> {
    const known = this.#tokens.get(toHex(wallet.account));
    if (known !== undefined) {
      try {
        return await this.transport.ask(call, await known, signal);
      } catch (error) {
        if (!(error instanceof NotAuthorised) || error.code !== GatewayCode.SESSION_ENDED) throw error;
      }
    }
    const opened = this.#tokens.get(toHex(wallet.account));
    const token = opened !== undefined && opened !== known ? opened : this.token(wallet);
    return this.transport.ask(call, await token, signal);
  }

  /** Throws NotAuthorised when the wallet's keys are not the account's. */
  private async signIn(wallet: Wallet): Promise<string> {
    const challenge = await this.challenge(wallet);
    return (await this.ask(calls.session(challenge, wallet.signChallenge(challenge)))).token;
  }

  /** What the gateway wants signed, looked at: for this account and chain. Throws AnswerNotUnderstood, WrongChain. */
  private async challenge(wallet: Wallet, signal?: AbortSignal): Promise<Uint8Array> {
    const offered = await this.ask(calls.challenge(wallet.account), signal);
    const wire = fromHex(offered.challenge);
    const challenge = wire && challengeOf(wire);
    if (wire === undefined || challenge === undefined) {
      throw new AnswerNotUnderstood("the gateway's challenge is none");
    }
    if (!bytesEqual(challenge.account, wallet.account)) {
      throw new AnswerNotUnderstood("the gateway's challenge is for another account");
    }
    this.requireChain(challenge.chain);
    return wire;
  }

  private requireChain(chain: string): void {
    this.#chain ??= chain;
    if (this.#chain !== chain) throw new WrongChain(`this gateway serves the chain ${chain}, not ${this.#chain}`);
  }
}

function challengeOf(wire: Uint8Array): Challenge | undefined {
  try {
    return decode(Challenge, wire);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}
