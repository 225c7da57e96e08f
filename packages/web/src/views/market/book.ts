/** Depth as a person on one feeder reads it: what one would pay for offers, and get from bids, wheeling included. Pure. */

import type { BookView, DeliveredLevel } from "@gridtokenx/sdk";

export interface Step {
  /** What a buyer on the feeder pays per kWh for an offer, or a seller there gets from a bid, before fees. */
  readonly priceMicro: number;
  readonly energyWh: number;
  /** From the best price up to and with this one. */
  readonly togetherWh: number;
}

export interface Ladder {
  /** Highest first. */
  readonly bids: readonly Step[];
  /** Lowest first. */
  readonly asks: readonly Step[];
}

/**
 * Levels of all sources and feeders together, as far as one can meet them from the feeder. The gateway has added the
 * wheeling to the feeder to offers and taken the wheeling from it off bids: so the two sides never cross, wherever in the
 * country they are.
 */
export function ladderOf(book: BookView): Ladder {
  const prices = (levels: readonly DeliveredLevel[]): [number, number][] => levels.map((level) => [Number(level.deliveredMicro), level.quantityWh]);
  return { bids: steps(prices(book.deliveredBids ?? []), -1), asks: steps(prices(book.deliveredAsks ?? []), 1) };
}

/** Energy wanted and offered at each price, rising, from one price to another; null where there is none. */
export function depthOf(ladder: Ladder, fromMicro: number, toMicro: number): [number[], (number | null)[], (number | null)[]] {
  const known = [...ladder.bids, ...ladder.asks].map((step) => step.priceMicro);
  const prices = [...new Set([fromMicro, ...known, toMicro])].sort((one, other) => one - other);
  const bestBid = ladder.bids[0]?.priceMicro ?? -Infinity;
  const bestAsk = ladder.asks[0]?.priceMicro ?? Infinity;
  const wanted = prices.map((price) =>
    price > bestBid ? null : (ladder.bids.findLast((step) => step.priceMicro >= price)?.togetherWh ?? 0),
  );
  const offered = prices.map((price) =>
    price < bestAsk ? null : (ladder.asks.findLast((step) => step.priceMicro <= price)?.togetherWh ?? 0),
  );
  return [prices, wanted, offered];
}

/** What waits and cannot be met from the feeder; undefined where nothing does, or where not all levels were told. */
export function outOfReach(book: BookView): { wantedWh: number; offeredWh: number } | undefined {
  if (book.bids.length + book.asks.length < book.levels) return undefined;
  const sum = (levels: readonly { readonly quantityWh: number }[]): number => levels.reduce((all, each) => all + each.quantityWh, 0);
  const wantedWh = sum(book.bids) - sum(book.deliveredBids ?? []);
  const offeredWh = sum(book.asks) - sum(book.deliveredAsks ?? []);
  return wantedWh + offeredWh > 0 ? { wantedWh, offeredWh } : undefined;
}

function steps(levels: readonly (readonly [number, number])[], direction: 1 | -1): Step[] {
  const byPrice = new Map<number, number>();
  for (const [price, energyWh] of levels) byPrice.set(price, (byPrice.get(price) ?? 0) + energyWh);
  let togetherWh = 0;
  return [...byPrice]
    .sort(([one], [other]) => direction * (one - other))
    .map(([priceMicro, energyWh]) => ({ priceMicro, energyWh, togetherWh: (togetherWh += energyWh) }));
}
