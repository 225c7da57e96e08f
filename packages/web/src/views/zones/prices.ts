/** What a zone's price is for somebody who glances at it. Pure. */

import type { ReferenceView, ZoneState } from "@gridtokenx/sdk";

export interface ShownPrice {
  readonly kind: "auction" | "last" | "reference" | "none";
  readonly micro: bigint | null;
}

/** By zone number. */
export type References = ReadonlyMap<number, ReferenceView>;

/** The auction's, else the last trade's, else, where somebody could trade, the reference price. */
export function priceOf(zone: ZoneState, reference: Pick<ReferenceView, "priceMicro"> | undefined): ShownPrice {
  if (zone.priceMicro !== null) return { kind: "auction", micro: zone.priceMicro };
  if (zone.lastPriceMicro !== null) return { kind: "last", micro: zone.lastPriceMicro };
  if (reference !== undefined && zone.feeders > 0) return { kind: "reference", micro: reference.priceMicro };
  return { kind: "none", micro: null };
}

export const PARTS = ["anchor", "called", "trades", "renewable", "book", "congestion"] as const;

/** What the reference price is made of, in the order of the formula. */
export function partsOf(reference: ReferenceView): readonly { readonly part: (typeof PARTS)[number]; readonly micro: bigint }[] {
  return PARTS.map((part) => ({ part, micro: reference[`${part}Micro`] }));
}
