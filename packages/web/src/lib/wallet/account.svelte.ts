/**
 * One's own account as it is now: balance and orders from the account's stream; positions and statements are asked for
 * again whenever a block did something to the account.
 */

import { untrack } from "svelte";

import { ClientError, NotAuthorised, TransportError, Unavailable } from "@gridtokenx/sdk";
import type { AccountEvent, AccountView, OrderView, OwnTradeView, PositionView, StatementView, Stream } from "@gridtokenx/sdk";

import { own, type Session } from "./own.svelte";
import { sender } from "./sender.svelte";

const REFRESH_MS_MIN = 700;
const AGAIN_MS = 2_000;
const TRADES_KEPT = 500;
const PAGE = 1_000;
/** Statements may be corrected for a day after delivery. */
const CORRECTED_BACK = 100;

class OwnAccount {
  view = $state.raw<AccountView>();
  /** By client id; open ones, and the last of those that are gone. */
  orders = $state.raw<ReadonlyMap<string, OrderView>>(new Map());
  /** Own trades that were heard since the page is open, oldest first. */
  trades = $state.raw<readonly OwnTradeView[]>([]);
  /** By interval. */
  positions = $state.raw<ReadonlyMap<number, PositionView>>(new Map());
  /** By interval. */
  statements = $state.raw<ReadonlyMap<number, StatementView>>(new Map());
  /** Where its portfolio is; undefined until it was read. */
  feeder = $state<number>();
  /** Whether positions and statements were read: until then, only orders are known. */
  isRead = $state(false);
  /** `missing`: the key opens an account that this market does not have. */
  state = $state<"closed" | "opening" | "missing" | "ready">("closed");
  problem = $state.raw<unknown>();

  #session: Session | undefined;
  #stream: Stream | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** The portfolio that this page trades for: an account of a home has one. */
  get portfolio(): string | undefined {
    return this.view?.portfolios[0];
  }

  /** Follow this account from now on; none to stop. */
  follow(session: Session | undefined): void {
    if (this.#session === session) return;
    this.#end();
    this.#session = session;
    if (session === undefined) return;
    this.state = "opening";
    void this.#listen(session);
  }

  /** Look again whether the market has the account now. */
  lookAgain(): void {
    const session = this.#session;
    this.follow(undefined);
    this.follow(session);
  }

  /** What an order has become, told before the stream tells it. */
  take(order: OrderView): void {
    this.orders = new Map(this.orders).set(order.clientId, order);
  }

  async #listen(session: Session): Promise<void> {
    while (this.#session === session) {
      try {
        const { exists } = await session.client.publicAccount(session.wallet.account);
        if (this.#session !== session) return;
        if (!exists) {
          this.state = "missing";
          return;
        }
        void sender.resume(session.client, session.account);
        await this.#hear(session);
      } catch (error) {
        if (this.#session !== session) return;
        this.problem = error;
        const mayHelp = error instanceof TransportError || error instanceof Unavailable || error instanceof NotAuthorised;
        if (!mayHelp && error instanceof ClientError) return;
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  async #hear(session: Session): Promise<void> {
    const stream = session.client.stream(["account"], session.wallet);
    this.#stream = stream;
    for await (const heard of stream) {
      if (this.#session !== session) return;
      if (heard.topic === "account") this.#take(session, heard.event, heard.isSnapshot);
    }
  }

  #take(session: Session, event: AccountEvent, isSnapshot: boolean): void {
    this.view = event.account;
    this.state = "ready";
    this.problem = undefined;
    const orders = new Map(isSnapshot ? [] : this.orders);
    for (const order of event.orders) {
      // The newest ones last, wherever they stood before.
      orders.delete(order.clientId);
      orders.set(order.clientId, order);
    }
    this.orders = orders;
    if (event.trades.length > 0) this.trades = [...this.trades, ...event.trades].slice(-TRADES_KEPT);
    this.#timer ??= setTimeout(() => void this.#refresh(session), isSnapshot ? 0 : REFRESH_MS_MIN);
  }

  async #refresh(session: Session): Promise<void> {
    this.#timer = undefined;
    try {
      const [positions, statements] = await Promise.all([this.#readPositions(session), this.#readStatements(session)]);
      if (this.#session !== session) return;
      this.feeder ??= await this.#readFeeder(session);
      if (this.#session !== session) return;
      this.positions = positions;
      this.statements = statements;
      this.isRead = true;
    } catch (error) {
      if (this.#session !== session) return;
      this.problem = error;
      this.#timer ??= setTimeout(() => void this.#refresh(session), AGAIN_MS);
    }
  }

  async #readFeeder({ client, wallet }: Session): Promise<number | undefined> {
    const { portfolios } = await client.portfolios(wallet);
    return portfolios.find((each) => each.portfolio === this.portfolio)?.feeder;
  }

  async #readPositions({ client, wallet }: Session): Promise<ReadonlyMap<number, PositionView>> {
    const found = new Map<number, PositionView>();
    for (let start = 0; ; ) {
      const page = await client.positions(wallet, { start, limit: PAGE });
      for (const position of page.positions) if (position.portfolio === this.portfolio) found.set(position.interval, position);
      if (page.next === 0) return found;
      start = page.next;
    }
  }

  async #readStatements({ client, wallet }: Session): Promise<ReadonlyMap<number, StatementView>> {
    const found = new Map(this.statements);
    const newest = Math.max(0, ...found.keys());
    for (let after = Math.max(0, newest - CORRECTED_BACK); ; ) {
      const page = await client.statements(wallet, { after, limit: PAGE });
      for (const line of page.statements) if (line.portfolio === this.portfolio) found.set(line.interval, line);
      if (page.next === 0) return found;
      after = page.next;
    }
  }

  #end(): void {
    this.#stream?.close();
    this.#stream = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#session = undefined;
    this.view = undefined;
    this.orders = new Map();
    this.trades = [];
    this.positions = new Map();
    this.statements = new Map();
    this.feeder = undefined;
    this.isRead = false;
    this.problem = undefined;
    this.state = "closed";
  }
}

export const account = new OwnAccount();


// Whoever opens, locks or forgets the key, in this tab or another one: what is shown follows.
$effect.root(() => {
  $effect(() => {
    const session = own.session;
    untrack(() => account.follow(session));
  });
});
