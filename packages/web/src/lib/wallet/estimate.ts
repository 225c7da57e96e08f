/**
 * What an order may cost: against the book as it is now, and at most, by the ledger's own formulas of the SDK. Pure.
 * Money in millionths of a WATT, prices in millionths per kWh, energy in Wh.
 */

import { buyerHoldMicro, sellerHoldMicro, tradeCost, wheelingPerKwhMicro } from "@gridtokenx/sdk";
import type { DeliveredLevel, FeeTerms, TradeCost } from "@gridtokenx/sdk";

export interface Order {
  readonly side: "buy" | "sell";
  readonly energyWh: number;
  /** A buyer's: delivered. A seller's: before its trading fee. */
  readonly limitMicro: bigint;
  /** A buyer's: the mask of sources that it takes. A seller's: the one bit of its source. */
  readonly sources: number;
}

/** Sums of trades. `energyWh` is how much of the order they are. */
export interface Money extends TradeCost {
  readonly energyWh: number;
}

const NOTHING: Money = {
  energyWh: 0,
  valueMicro: 0n,
  gridFeeMicro: 0n,
  wheelingMicro: 0n,
  tradingFeeMicro: 0n,
  buyerMicro: 0n,
  sellerMicro: 0n,
};

/**
 * What would trade at once with these levels (of the other side, best first, seen from one's own feeder). Fees round
 * down for each trade, and here for each level: the trades themselves cost a buyer the same or some millionths less.
 */
export function atOnce(terms: FeeTerms, order: Order, levels: readonly DeliveredLevel[]): Money {
  let [sum, leftWh] = [NOTHING, order.energyWh];
  for (const level of levels) {
    const meets = order.side === "buy" ? level.deliveredMicro <= order.limitMicro : level.deliveredMicro >= order.limitMicro;
    if (!meets || leftWh === 0) break;
    if ((level.sources & order.sources) === 0) continue;
    const energyWh = Math.min(leftWh, level.quantityWh);
    // A trade has the resting order's limit: a resting buyer's is less the wheeling, which is what the seller sees.
    const priceMicro = order.side === "buy" ? level.priceMicro : level.deliveredMicro;
    const perKwhMicro = wheelingPerKwhMicro(terms, level.nearness);
    sum = together(sum, energyWh, tradeCost(terms, priceMicro, energyWh, perKwhMicro));
    leftWh -= energyWh;
  }
  return sum;
}

/**
 * The worst for its owner, if all of it trades at its limit: a buyer's with a neighbour on the same feeder, since then
 * least of its limit is wheeling and most of it bears fees.
 */
export function atWorst(terms: FeeTerms, order: Order): Money {
  const least = wheelingPerKwhMicro(terms, 0);
  const wheeling = order.side === "buy" && least < order.limitMicro ? least : 0n;
  const priceMicro = order.side === "buy" ? order.limitMicro - wheeling : order.limitMicro;
  return together(NOTHING, order.energyWh, tradeCost(terms, priceMicro, order.energyWh, wheeling));
}

/** What is set aside when the order is placed. */
export function holdOf(terms: FeeTerms, order: Order, tariffMicro: bigint): bigint {
  if (order.side === "buy") return buyerHoldMicro(terms, order.limitMicro, order.energyWh);
  return sellerHoldMicro(terms, tariffMicro, order.limitMicro, order.energyWh);
}

/** Down to the tick: the limit of a market order to buy, and prices that are only proposed. */
export function onTick(priceMicro: bigint, tickMicro: bigint): bigint {
  return priceMicro - (priceMicro % tickMicro);
}

function together(sum: Money, energyWh: number, cost: TradeCost): Money {
  return {
    energyWh: sum.energyWh + energyWh,
    valueMicro: sum.valueMicro + cost.valueMicro,
    gridFeeMicro: sum.gridFeeMicro + cost.gridFeeMicro,
    wheelingMicro: sum.wheelingMicro + cost.wheelingMicro,
    tradingFeeMicro: sum.tradingFeeMicro + cost.tradingFeeMicro,
    buyerMicro: sum.buyerMicro + cost.buyerMicro,
    sellerMicro: sum.sellerMicro + cost.sellerMicro,
  };
}
