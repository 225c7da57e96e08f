/** Delivery intervals as one picks them. Pure. */

import { phaseAt } from "@gridtokenx/sdk";
import type { IntervalView } from "@gridtokenx/sdk";

/** Whether orders are taken for it: while it is traded, and while they collect for its auction. */
export function takesOrders(interval: IntervalView, nowMs: number): boolean {
  return (interval.phase === "trading" || interval.phase === "call") && phaseAt(interval, nowMs) !== "closed";
}

/** Whether orders collect for its auction and nothing trades. By the clock, as the ledger has it: the phase of what was
 * asked a moment ago may be behind. */
export function isInCall(interval: IntervalView, nowMs: number): boolean {
  return takesOrders(interval, nowMs) && phaseAt(interval, nowMs) === "call";
}

/** An interval's number out of an address; undefined for anything else. */
export function intervalIn(text: string | null | undefined): number | undefined {
  return text && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
