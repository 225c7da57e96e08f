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
