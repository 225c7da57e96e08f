/** What is typed into the ticket becomes an order, or says what is missing. Pure. */

import { ANY_SOURCE_MASK, buyOrder, parseEnergy, parseWatt, Scope, sellOrder, TimeInForce, wheelingPerKwhMicro } from "@gridtokenx/sdk";
import type { DeliveredLevel, FeeTerms, PlaceOrder, ReferenceView } from "@gridtokenx/sdk";

export type Side = "buy" | "sell";
export type Force = "gate" | "15" | "30" | "60" | "now" | "whole";
export const FORCES: readonly Force[] = ["gate", "15", "30", "60", "now", "whole"];
export type Reach = "anywhere" | "zone" | "feeder";
export const REACHES: readonly Reach[] = ["anywhere", "zone", "feeder"];

/** An order shows at least this part of itself: one in twenty (`ICEBERG_PARTS_MAX` of the ledger). */
const PARTS_MAX = 20;
/** So often bands interrupt trade of a zone's interval, and for so many smallest orders' energy (limits of the ledger). */
const HALTS_OF_ZONE_MAX = 3;
const HALT_SMALLEST_ORDERS_MIN = 10;

export interface Typed {
  readonly side: Side;
  readonly isMarket: boolean;
  /** In kWh. */
  readonly quantity: string;
  /** In THB per kWh. */
  readonly price: string;
  readonly force: Force;
  /** Of a purchase: the numbers of the sources that it takes. */
  readonly sources: readonly number[];
  /** Of a sale. */
  readonly source: number;
  readonly postOnly: boolean;
  /** In kWh; empty for none. */
  readonly minimum: string;
  /** How far it looks for others, and others for it. */
  readonly reach: Reach;
  /** In kWh: how much of it the book shows at a time; empty for all. */
  readonly display: string;
}

/** What the market says about the interval of the order. */
export interface Bounds {
  readonly tickMicro: bigint;
  readonly orderWhMin: number;
  readonly tariffMicro: bigint;
  readonly buyBackMicro: bigint;
}

export interface Draft {
  readonly side: Side;
  readonly energyWh: number;
  readonly limitMicro: bigint;
  readonly sources: number;
  readonly minimumWh: number;
  /** 0 where all of it shows. */
  readonly displayWh: number;
}

export type Wrong = "quantityBad" | "quantitySmall" | "priceBad" | "priceTick" | "sourcesBad" | "minimumBad" | "displayBad";

/** What is typed as the call phase takes it: everything that an auction cannot heed is left out. */
export function plain(typed: Typed): Typed {
  return { ...typed, isMarket: false, force: "gate", sources: ALL_SOURCES, postOnly: false, minimum: "", reach: "anywhere", display: "" };
}

/** What one can meet with an order that reaches so far. */
export function within<L extends { readonly nearness: number }>(levels: readonly L[], reach: Reach): readonly L[] {
  const most = { anywhere: Infinity, zone: 1, feeder: 0 }[reach];
  return levels.filter((level) => level.nearness <= most);
}

/** What feeders of halted zones do not hold back. */
export function trading<L extends { readonly feeder: number }>(levels: readonly L[], halted: ReadonlySet<number>): readonly L[] {
  return levels.filter((level) => !halted.has(level.feeder));
}

/** The least that an order of this size may show of itself. */
export function leastDisplayWh(energyWh: number, orderWhMin: number): number {
  return Math.max(orderWhMin, Math.ceil(energyWh / PARTS_MAX));
}

/** The order as numbers, or what is wrong with each field. A market order's limit is the tariff or the buy-back. */
export function read(typed: Typed, bounds: Bounds): { draft: Draft | undefined; wrong: readonly Wrong[] } {
  const wrong: Wrong[] = [];
  const energyWh = parseEnergy(typed.quantity);
  if (energyWh === undefined || energyWh <= 0) wrong.push("quantityBad");
  else if (energyWh < bounds.orderWhMin) wrong.push("quantitySmall");
  const limitMicro = typed.isMarket ? marketLimit(typed.side, bounds) : parseWatt(typed.price);
  if (limitMicro === undefined || limitMicro <= 0n) wrong.push("priceBad");
  else if (!typed.isMarket && limitMicro % bounds.tickMicro !== 0n) wrong.push("priceTick");
  const sources = typed.side === "buy" ? maskOf(typed.sources) : 1 << typed.source;
  if (sources === 0) wrong.push("sourcesBad");
  const minimumWh = typed.minimum.trim() === "" ? 0 : parseEnergy(typed.minimum);
  if (minimumWh === undefined || minimumWh < 0 || minimumWh > Math.max(0, energyWh ?? 0)) wrong.push("minimumBad");
  const displayWh = waits(typed) && typed.display.trim() !== "" ? parseEnergy(typed.display) : 0;
  if (displayWh === undefined || (displayWh !== 0 && !mayShow(displayWh, energyWh ?? 0, bounds.orderWhMin))) wrong.push("displayBad");
  if (wrong.length > 0) return { draft: undefined, wrong };
  const draft = { side: typed.side, energyWh: energyWh!, limitMicro: limitMicro!, sources, minimumWh: minimumWh!, displayWh: displayWh! };
  return { draft, wrong };
}

/** Whether what does not trade at once stays in the book: only then it can show a part of itself. */
export function waits(typed: Pick<Typed, "isMarket" | "force">): boolean {
  return !typed.isMarket && typed.force !== "now" && typed.force !== "whole";
}

function mayShow(displayWh: number, energyWh: number, orderWhMin: number): boolean {
  return displayWh < energyWh && displayWh >= leastDisplayWh(energyWh, orderWhMin);
}

/** The message to sign. The SDK checks every field once more: throws Malformed. */
export function messageOf(typed: Typed, draft: Draft, portfolio: Uint8Array, interval: number, nowMs: number): PlaceOrder {
  const common = {
    portfolio,
    interval,
    quantityWh: draft.energyWh,
    priceMicro: typed.isMarket ? 0n : draft.limitMicro,
    market: typed.isMarket,
    minimumWh: draft.minimumWh,
    scope: { anywhere: Scope.ANYWHERE, zone: Scope.ZONE, feeder: Scope.FEEDER }[typed.reach],
    displayWh: draft.displayWh,
    ...timeOf(typed, nowMs),
  };
  return typed.side === "buy"
    ? buyOrder({ ...common, source: draft.sources })
    : sellOrder({ ...common, source: typed.source });
}

/**
 * A price to begin with, on the tick: the one at which all of it trades at once with these levels (best first), if there is
 * so much that is no worse than the supplier; else the last trade's; else the middle between buy-back and tariff.
 */
export function proposal(
  side: Side,
  energyWh: number,
  levels: readonly Pick<DeliveredLevel, "deliveredMicro" | "quantityWh">[],
  lastMicro: bigint | undefined,
  bounds: Bounds,
): bigint {
  const isWorse = (priceMicro: bigint): boolean =>
    side === "buy" ? priceMicro > bounds.tariffMicro : priceMicro < bounds.buyBackMicro;
  let togetherWh = 0;
  for (const level of levels) {
    if (isWorse(level.deliveredMicro)) break;
    togetherWh += level.quantityWh;
    if (togetherWh >= energyWh) return roundedFor(side, level.deliveredMicro, bounds.tickMicro);
  }
  const middle = (bounds.tariffMicro + bounds.buyBackMicro) / 2n;
  const guess = lastMicro === undefined || isWorse(lastMicro) ? middle : lastMicro;
  return guess - (guess % bounds.tickMicro);
}

/** To the tick, so that an order at this limit still meets the level: up for a purchase, down for a sale. */
function roundedFor(side: Side, priceMicro: bigint, tickMicro: bigint): bigint {
  const rest = priceMicro % tickMicro;
  return rest === 0n || side === "sell" ? priceMicro - rest : priceMicro - rest + tickMicro;
}

/**
 * What a limit beyond its own zone's price band leads to. `edge`: it trades, at the band's edge, which suits its owner
 * better. Otherwise it can trade with nobody of the zone inside the band, and `edgeMicro` is the nearest limit that could:
 * `halts` who would meet it interrupts trade, `cancels` what would trade goes, `waits` it does not trade at once anyway.
 */
export interface Beyond {
  readonly kind: "edge" | "halts" | "cancels" | "waits";
  /** Of `edge` a trade's price; else a limit, of a purchase with the least wheeling. */
  readonly edgeMicro: bigint;
}

type Band = Pick<ReferenceView, "lowMicro" | "highMicro" | "haltsByBand">;
type HaltTerms = FeeTerms & { readonly orderWhMin: number; readonly haltMs: number };

export function beyondBand(typed: Typed, draft: Draft, band: Band, terms: HaltTerms): Beyond | undefined {
  const { lowMicro, highMicro } = band;
  if (typed.isMarket || lowMicro === null || highMicro === null) return undefined;
  const least = typed.side === "buy" ? wheelingPerKwhMicro(terms, 0) : 0n;
  const worthMicro = draft.limitMicro - least;
  const [lacksMicro, sparesMicro] = typed.side === "buy" ? [lowMicro - worthMicro, worthMicro - highMicro] : [worthMicro - highMicro, lowMicro - worthMicro];
  if (sparesMicro > 0n) return { kind: "edge", edgeMicro: typed.side === "buy" ? highMicro : lowMicro };
  if (lacksMicro <= 0n) return undefined;
  const edgeMicro = typed.side === "buy" ? lowMicro + least : highMicro;
  if (typed.postOnly && waits(typed)) return { kind: "waits", edgeMicro };
  const mayHalt = terms.haltMs > 0 && band.haltsByBand < HALTS_OF_ZONE_MAX && draft.energyWh >= HALT_SMALLEST_ORDERS_MIN * terms.orderWhMin;
  return { kind: mayHalt && waits(typed) ? "halts" : "cancels", edgeMicro };
}

/** All sources, as numbers. */
export const ALL_SOURCES: readonly number[] = Array.from({ length: 32 - Math.clz32(ANY_SOURCE_MASK) }, (_, number) => number);

function timeOf(typed: Typed, nowMs: number): { timeInForce: number; goodTillMs: number; postOnly: boolean } {
  if (typed.isMarket) return { timeInForce: TimeInForce.IMMEDIATE_OR_CANCEL, goodTillMs: 0, postOnly: false };
  const { postOnly } = typed;
  switch (typed.force) {
    case "gate":
      return { timeInForce: TimeInForce.GOOD_TILL_GATE, goodTillMs: 0, postOnly };
    case "now":
      return { timeInForce: TimeInForce.IMMEDIATE_OR_CANCEL, goodTillMs: 0, postOnly: false };
    case "whole":
      return { timeInForce: TimeInForce.FILL_OR_KILL, goodTillMs: 0, postOnly: false };
    default:
      return { timeInForce: TimeInForce.GOOD_TILL_TIME, goodTillMs: nowMs + Number(typed.force) * 60_000, postOnly };
  }
}

function marketLimit(side: Side, bounds: Bounds): bigint {
  return side === "buy" ? bounds.tariffMicro - (bounds.tariffMicro % bounds.tickMicro) : bounds.buyBackMicro;
}

function maskOf(sources: readonly number[]): number {
  return sources.reduce((mask, source) => mask | (1 << source), 0);
}
