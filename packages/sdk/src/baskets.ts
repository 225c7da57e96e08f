/**
 * Baskets: orders of several intervals and both sides that succeed together, or leave nothing.
 *
 * The ledger does not know baskets: the messages of one transaction are all or none already. A leg is fill or kill unless
 * it says otherwise; one that may rest only has to be taken. Legs run in their order: money that one holds is not there
 * for the next, and a position that one opens counts for the next.
 */

import type { Client } from "./client.js";
import type { TransactionView } from "./documents.generated.js";
import { SigningError, TransactionRejected } from "./errors.js";
import type { Given } from "./kinds.js";
import { placeBlockOrder, placeOrder, Scope, Side, TimeInForce } from "./messages.generated.js";
import type { PlaceBlockOrder, PlaceOrder } from "./messages.generated.js";
import { ANY_SOURCE_MASK, newClientId } from "./orders.js";
import type { ExecuteOptions } from "./sending.js";
import { MESSAGES_PER_TRANSACTION_MAX } from "./transactions.js";
import type { Wallet } from "./wallet.js";

/** What a leg must say; with several `intervals` it is a block order, and the quantity is that of each. */
export type LegWanted = Given<Pick<PlaceOrder, "interval" | "priceMicro" | "quantityWh">> & {
  readonly intervals?: number;
} & Partial<Given<Pick<PlaceOrder, "clientId" | "timeInForce" | "goodTillMs" | "scope">>>;

/** One order of a basket, by its name. */
export interface Leg {
  readonly name: string;
  readonly message: PlaceOrder | PlaceBlockOrder;
}

/** What became of one leg: Wh in all of its intervals. */
export interface LegOutcome {
  readonly leg: string;
  readonly clientId: Uint8Array;
  readonly filledWh: number;
  readonly waitingWh: number;
}

/** Nothing of the basket happened. `leg` names the one that the ledger refused; empty for a refusal at the door. */
export class BasketRefused extends TransactionRejected {
  static override readonly kind = "BasketRefused";
  readonly leg: string;

  constructor(leg: string, error: TransactionRejected) {
    const detail = leg ? `nothing of the basket happened: leg '${leg}' was refused` : error.detail;
    super(detail, error.transactionId, error, error.failed);
    this.leg = leg;
  }
}

/** Named legs of one portfolio, in their order. Adding one gives a new basket. */
export class Basket {
  readonly portfolio: Uint8Array;
  readonly legs: readonly Leg[];

  constructor(portfolio: Uint8Array, legs: readonly Leg[] = []) {
    this.portfolio = portfolio;
    this.legs = legs;
  }

  /** One more leg: a purchase at no more than the price, delivered; `source` is the mask of what it accepts. */
  buy(name: string, wanted: LegWanted & { readonly source?: number }): Basket {
    return this.with(name, Side.BUY, wanted, wanted.source ?? ANY_SOURCE_MASK);
  }

  /** One more leg: a sale of one `source` at no less than the price. */
  sell(name: string, wanted: LegWanted & { readonly source: number }): Basket {
    return this.with(name, Side.SELL, wanted, wanted.source);
  }

  /** What one transaction has to hold. Throws SigningError for no legs, or more than fit. */
  messages(): (PlaceOrder | PlaceBlockOrder)[] {
    const count = this.legs.length;
    if (count < 1 || count > MESSAGES_PER_TRANSACTION_MAX) {
      const detail = `a basket has 1 to ${MESSAGES_PER_TRANSACTION_MAX} legs, not ${count}: so many fit`;
      throw new SigningError(detail, { field: "legs" });
    }
    return this.legs.map((leg) => leg.message);
  }

  /** Send it and wait. Throws BasketRefused, and what `Client.execute` throws. */
  async execute(client: Client, wallet: Wallet, options: ExecuteOptions = {}): Promise<LegOutcome[]> {
    try {
      return this.outcomes(await client.execute(wallet, this.messages(), options));
    } catch (error) {
      throw error instanceof TransactionRejected ? this.refused(error) : error;
    }
  }

  /** What a committed transaction of these messages did, leg by leg. */
  outcomes(view: TransactionView): LegOutcome[] {
    return this.legs.map(({ name, message }, place) => {
      const [, filledWh = 0, waitingWh = 0] = view.results[place] ?? [];
      return { leg: name, clientId: message.clientId, filledWh, waitingWh };
    });
  }

  /** The same refusal, with the name of the leg. */
  refused(error: TransactionRejected): BasketRefused {
    return new BasketRefused(this.legs[error.failed ?? -1]?.name ?? "", error);
  }

  private with(name: string, side: number, wanted: LegWanted, source: number): Basket {
    if (this.legs.some((leg) => leg.name === name)) {
      throw new SigningError(`the basket has a leg '${name}' already: give each its own name`, { field: "legs" });
    }
    const shared = {
      portfolio: this.portfolio,
      clientId: wanted.clientId ?? newClientId(),
      interval: wanted.interval,
      side,
      priceMicro: wanted.priceMicro,
      quantityWh: wanted.quantityWh,
      source,
      timeInForce: wanted.timeInForce ?? TimeInForce.FILL_OR_KILL,
      goodTillMs: wanted.goodTillMs ?? 0,
      scope: wanted.scope ?? Scope.ANYWHERE,
    };
    const intervals = wanted.intervals ?? 1;
    const message =
      intervals === 1
        ? placeOrder({ ...shared, minimumWh: 0, postOnly: false, market: false, displayWh: 0 })
        : placeBlockOrder({ ...shared, intervals });
    return new Basket(this.portfolio, [...this.legs, { name, message }]);
  }
}
