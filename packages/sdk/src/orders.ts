/** Orders in few words: what most people leave at its default is filled in. */

import { randomBytes } from "./bytes.js";
import type { Given } from "./kinds.js";
import { placeOrder, Scope, Side, Source, TimeInForce } from "./messages.generated.js";
import type { PlaceOrder } from "./messages.generated.js";

export const CLIENT_ID_BYTES = 8;

/** The mask of all sources: a buyer who does not mind. */
export const ANY_SOURCE_MASK = (1 << Object.keys(Source).length) - 1;

type Defaults = "clientId" | "timeInForce" | "goodTillMs" | "minimumWh" | "postOnly" | "market" | "scope" | "displayWh";

/** What an order must say; the rest may be said. */
export type Wanted<Required extends keyof PlaceOrder> = Given<Pick<PlaceOrder, Required>> &
  Partial<Given<Pick<PlaceOrder, Defaults>>>;

/** Buy: `source` is the mask of sources that are accepted, any by default; the limit is what one pays delivered. */
export function buyOrder(
  wanted: Wanted<"portfolio" | "interval" | "priceMicro" | "quantityWh"> & { readonly source?: number },
): PlaceOrder {
  return placeOrder({ ...defaults(), source: ANY_SOURCE_MASK, ...wanted, side: Side.BUY });
}

/** Sell energy of one `source`; the limit is what one gets before the trading fee. */
export function sellOrder(
  wanted: Wanted<"portfolio" | "interval" | "priceMicro" | "quantityWh" | "source">,
): PlaceOrder {
  return placeOrder({ ...defaults(), ...wanted, side: Side.SELL });
}

/** What an interval's orders do: meet as they come, collect for the auction at the gate, or come too late. */
export type TradingPhase = "trading" | "call" | "closed";

/** Where an interval is by chain time, whatever its document said when it came. */
export function phaseAt(interval: { readonly callMs: number | null; readonly gateMs: number }, nowMs: number): TradingPhase {
  if (nowMs >= interval.gateMs) return "closed";
  return interval.callMs !== null && nowMs >= interval.callMs ? "call" : "trading";
}

/**
 * The first field by which the ledger would refuse the order in a call phase (CALL_TAKES_PLAIN); none for a plain one: a
 * limit until the gate, without a minimum, not post-only, all of it shown, anywhere, and a purchase of any source.
 */
export function notForTheCall(order: PlaceOrder, gateMs: number): keyof PlaceOrder | undefined {
  const ends = order.timeInForce === TimeInForce.GOOD_TILL_TIME && order.goodTillMs < gateMs;
  const notPlain: readonly (readonly [keyof PlaceOrder, boolean])[] = [
    ["market", order.market],
    ["timeInForce", order.timeInForce >= TimeInForce.IMMEDIATE_OR_CANCEL],
    ["goodTillMs", ends],
    ["minimumWh", order.minimumWh > 0],
    ["postOnly", order.postOnly],
    ["displayWh", order.displayWh > 0],
    ["scope", order.scope !== Scope.ANYWHERE],
    ["source", order.side === Side.BUY && order.source !== ANY_SOURCE_MASK],
  ];
  return notPlain.find(([, found]) => found)?.[0];
}

/** A name for an order, so that it can be found, amended and cancelled: random. */
export function newClientId(): Uint8Array<ArrayBuffer> {
  return randomBytes(CLIENT_ID_BYTES);
}

function defaults(): Given<Pick<PlaceOrder, Defaults>> {
  return {
    clientId: newClientId(),
    timeInForce: TimeInForce.GOOD_TILL_GATE,
    goodTillMs: 0,
    minimumWh: 0,
    postOnly: false,
    market: false,
    scope: Scope.ANYWHERE,
    displayWh: 0,
  };
}
