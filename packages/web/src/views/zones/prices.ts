/** What a zone's price is for somebody who glances at it. Pure. */

import type { ZoneState } from "@gridtokenx/sdk";

export interface ShownPrice {
  readonly kind: "auction" | "last" | "ask" | "none";
  readonly micro: bigint | null;
}

/** The auction's, else the last trade's, else what its cheapest own offer asks. */
export function priceOf(zone: ZoneState): ShownPrice {
  if (zone.priceMicro !== null) return { kind: "auction", micro: zone.priceMicro };
  if (zone.lastPriceMicro !== null) return { kind: "last", micro: zone.lastPriceMicro };
  if (zone.bestAskMicro !== null) return { kind: "ask", micro: zone.bestAskMicro };
  return { kind: "none", micro: null };
}
