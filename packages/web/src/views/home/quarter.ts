/** One delivery interval from its owner's side: how far it is, and what came of it. Pure. */

import type { IntervalView, OrderView, PositionView, StatementView } from "@gridtokenx/sdk";

import { INTERVAL_MS } from "../../lib/format";

export const STAGES = ["ordered", "traded", "delivered", "metered", "settled"] as const;
export type Stage = (typeof STAGES)[number];

export interface Quarter {
  readonly interval: number;
  readonly orders: readonly OrderView[];
  readonly position: PositionView | undefined;
  readonly statement: StatementView | undefined;
  readonly boughtWh: number;
  readonly soldWh: number;
  /** The stages that are over. */
  readonly reached: ReadonlySet<Stage>;
}

/** What is known of an interval, put together. `market` is what anybody may know of it, gone when it is final. */
export function quarterOf(
  interval: number,
  nowMs: number,
  orders: Iterable<OrderView>,
  position: PositionView | undefined,
  statement: StatementView | undefined,
  market: IntervalView | undefined,
): Quarter {
  const own = [...orders].filter((order) => isOf(order, interval));
  const boughtWh = statement?.boughtWh ?? position?.boughtWh ?? 0;
  const soldWh = statement?.soldWh ?? position?.soldWh ?? 0;
  const reached = new Set<Stage>();
  if (own.some((order) => order.state !== "rejected") || boughtWh + soldWh > 0) reached.add("ordered");
  if (boughtWh + soldWh > 0) reached.add("traded");
  if (nowMs >= (interval + 1) * INTERVAL_MS) reached.add("delivered");
  if (statement !== undefined || (market !== undefined && market.stage !== "metering")) reached.add("metered");
  if (statement !== undefined) reached.add("settled");
  return { interval, orders: own, position, statement, boughtWh, soldWh, reached };
}

/** Whether an order is of the interval, which for a block order is one of several. */
function isOf(order: OrderView, interval: number): boolean {
  const first = order.interval ?? 0;
  return first <= interval && interval < first + order.intervals;
}

/** What an interval costs: purchases less proceeds, what the residual supplier charges less what it credits, a split, and less a maker's rebate. */
export function billMicro(statement: StatementView): bigint {
  const owed = statement.chargeMicro - statement.creditMicro + statement.splitChargeMicro - statement.splitCreditMicro;
  return statement.purchaseCostMicro - statement.saleProceedsMicro + owed - statement.rebateMicro;
}

/** What the same meter readings would have cost without the market; each amount is rounded down, as settlement does. */
export function oldBillMicro(statement: StatementView, market: Pick<IntervalView, "tariffMicro" | "buyBackMicro">): bigint {
  const paid = (market.tariffMicro * BigInt(statement.importWh)) / 1_000n;
  return paid - (market.buyBackMicro * BigInt(statement.exportWh)) / 1_000n;
}

/** What the home did at this time of day before, for who wants to know what it will probably do. */
export interface Before {
  readonly interval: number;
  readonly importWh: number;
  readonly exportWh: number;
  /** A day, or some days, earlier; false: only the last quarter that was settled. */
  readonly isSameTimeOfDay: boolean;
}

const DAY = 96;
const DAYS_BACK = 7;

/** The same quarter-hour of the last day that has one, else the newest that is settled. */
export function before(interval: number, statements: ReadonlyMap<number, StatementView>): Before | undefined {
  for (let days = 1; days <= DAYS_BACK; days += 1) {
    const found = statements.get(interval - days * DAY);
    if (found) return told(found, true);
  }
  const newest = statements.get(Math.max(...[0, ...statements.keys()].filter((known) => known < interval)));
  return newest && told(newest, false);
}

function told({ interval, importWh, exportWh }: StatementView, isSameTimeOfDay: boolean): Before {
  return { interval, importWh, exportWh, isSameTimeOfDay };
}

/** In which words an order's state is told: those of the API, and whether some of it was filled. */
export type OrderState = "pending" | "open" | "part" | "filled" | "cancelled" | "cancelledPart" | "ended" | "endedPart" | "rejected";

export function orderState(order: OrderView): OrderState {
  const isPart = (order.filledWh ?? 0) > order.voidedWh;
  switch (order.state) {
    case "open":
      return isPart ? "part" : "open";
    case "cancelled":
      return isPart ? "cancelledPart" : "cancelled";
    case "ended":
      return isPart ? "endedPart" : "ended";
    case "filled":
      return "filled";
    case "rejected":
      return "rejected";
    default:
      return "pending";
  }
}
