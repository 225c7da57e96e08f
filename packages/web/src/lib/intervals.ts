/** Delivery intervals as one picks them, and whether they trade. Pure. */

import { phaseAt } from "@gridtokenx/sdk";
import type { HaltView, IntervalView, ReferenceView } from "@gridtokenx/sdk";

/** Whether orders are taken for it: while it is traded, and while they collect for its auction. */
export function takesOrders(interval: IntervalView, nowMs: number): boolean {
  return (interval.phase === "trading" || interval.phase === "call") && phaseAt(interval, nowMs) !== "closed";
}

/** Whether orders collect for its auction and nothing trades. By the clock, as the ledger has it: the phase of what was
 * asked a moment ago may be behind. */
export function isInCall(interval: IntervalView, nowMs: number): boolean {
  return takesOrders(interval, nowMs) && phaseAt(interval, nowMs) === "call";
}

/** Of the halts that hold in a zone, the one that ends last: until then nothing of the zone trades. */
export function haltOf(reference: Pick<ReferenceView, "halts"> | undefined): HaltView | undefined {
  return reference?.halts.toSorted((one, other) => lastMs(other) - lastMs(one))[0];
}

/** Beyond any other where no end is known. */
function lastMs(halt: HaltView): number {
  return halt.untilMs ?? Number.MAX_SAFE_INTEGER;
}

/** What keeps zones from trading: a halt of several of them once. */
export function haltsIn(zones: readonly Pick<ReferenceView, "halts">[]): readonly HaltView[] {
  const found = zones.map(haltOf).filter((halt) => halt !== undefined);
  return [...new Map(found.map((halt) => [`${halt.interval}-${halt.zone}`, halt])).values()];
}

/**
 * What a halt's end means for an interval. `meets`: it is ending, what has collected meets now. `resumes`: by a call, then
 * trade goes on. `auction`: it ends while orders collect for the auction, and they meet there. `cancels`: it holds beyond
 * the gate, which cancels them. `open`: no end is known.
 */
export type HaltEnd = "meets" | "resumes" | "auction" | "cancels" | "open";

export function endOf(halt: HaltView, interval: Pick<IntervalView, "gateMs" | "callMs">): HaltEnd {
  if (halt.stage !== "collecting") return "meets";
  if (halt.untilMs === null) return "open";
  if (interval.callMs === null) return halt.untilMs < interval.gateMs ? "resumes" : "cancels";
  if (halt.untilMs > interval.gateMs) return "cancels";
  // The ledger ends its own at the latest when the call phase begins.
  return halt.untilMs < interval.callMs ? "resumes" : "auction";
}

/** An interval's number out of an address; undefined for anything else. */
export function intervalIn(text: string | null | undefined): number | undefined {
  return text && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
