/** An auction's orders as curves, and what becomes of one order. Pure. Prices in millionths per kWh, energy in Wh. */

import type { CallMoment, CurveStep } from "@gridtokenx/sdk";

export interface Curves {
  /** Energy from the left: the union of all steps' ends. */
  readonly energyWh: readonly number[];
  /** The price at which so much is offered; null beyond the last offer. */
  readonly supply: readonly (number | null)[];
  /** The price that so much is worth to who wants it; null beyond the last one. */
  readonly demand: readonly (number | null)[];
}

/** Supply rises from the cheapest offer, demand falls from the highest worth; each value holds up to its energy. */
export function curvesOf(steps: readonly CurveStep[]): Curves {
  const supply = stairs(steps, (step) => step.offeredWh);
  const demand = stairs(steps.toReversed(), (step) => step.wantedWh);
  const energyWh = [...new Set([0, ...supply.map(([end]) => end), ...demand.map(([end]) => end)])].sort((a, b) => a - b);
  const along = (stair: readonly (readonly [number, number])[]): (number | null)[] =>
    energyWh.map((energy) => stair.find(([end]) => end >= energy)?.[1] ?? null);
  return { energyWh, supply: along(supply), demand: along(demand) };
}

/** (energy up to which it holds, price) of each step that has any. */
function stairs(steps: readonly CurveStep[], quantity: (step: CurveStep) => number): (readonly [number, number])[] {
  let togetherWh = 0;
  return steps
    .filter((step) => quantity(step) > 0)
    .map((step) => [(togetherWh += quantity(step)), Number(step.priceMicro)] as const);
}

export interface AtPrice {
  readonly offeredWh: number;
  readonly wantedWh: number;
}

/** What is offered at a price or below, and wanted at it or above. */
export function atPrice(steps: readonly CurveStep[], priceMicro: number): AtPrice {
  const sum = (kept: readonly CurveStep[], quantity: (step: CurveStep) => number): number =>
    kept.reduce((together, step) => together + quantity(step), 0);
  return {
    offeredWh: sum(steps.filter((step) => step.priceMicro <= priceMicro), (step) => step.offeredWh),
    wantedWh: sum(steps.filter((step) => step.priceMicro >= priceMicro), (step) => step.wantedWh),
  };
}

/** Which side has more than can trade at the price, and how much. */
export function surplus(steps: readonly CurveStep[], priceMicro: number, soldWh: number, boughtWh: number): { side: "offered" | "wanted" | "none"; energyWh: number } {
  const { offeredWh, wantedWh } = atPrice(steps, priceMicro);
  const [over, under] = [offeredWh - soldWh, wantedWh - boughtWh];
  if (over <= 0 && under <= 0) return { side: "none", energyWh: 0 };
  return over >= under ? { side: "offered", energyWh: over } : { side: "wanted", energyWh: under };
}

/**
 * What would become of an order if the auction were now: `full` it is better than the price, `part` it stands right at
 * it and earlier orders come first, `none` it is worse, `unknown` its place has no price.
 */
export function prospect(side: string, limitMicro: bigint, wheelingMicro: bigint, priceMicro: bigint | undefined): "full" | "part" | "none" | "unknown" {
  if (priceMicro === undefined) return "unknown";
  const worth = side === "sell" ? limitMicro : limitMicro - wheelingMicro;
  if (worth === priceMicro) return "part";
  return worth < priceMicro === (side === "sell") ? "full" : "none";
}

/** Moments before with one more at the end; the same block only once, and what changed nothing not at all. */
export function withMoment(moments: readonly CallMoment[], moment: CallMoment, most: number): readonly CallMoment[] {
  const last = moments.at(-1);
  if (last && (moment.height <= last.height || isSame(last, moment))) return moments;
  const all = [...moments, moment];
  // As the gateway does: of a long call every second moment, the newest always.
  return all.length > most ? all.filter((_, place) => (all.length - 1 - place) % 2 === 0) : all;
}

function isSame(one: CallMoment, other: CallMoment): boolean {
  const told = (moment: CallMoment): string =>
    `${moment.orders} ${moment.zones.map((zone) => `${zone.zone} ${zone.priceMicro} ${zone.soldWh} ${zone.boughtWh}`).join(" ")}`;
  return told(one) === told(other);
}
