/** What a link carries, how full it is, and which way energy would take. Pure. */

import type { LinkView, NetworkView } from "@gridtokenx/sdk";

/** `open` nobody has limited it, `shut` nothing may flow either way, `full` nothing more the way that it flows. */
export type Level = "open" | "shut" | "free" | "busy" | "full";

export interface Load {
  /** Which way it flows on balance: -1 from `second` to `first`, 0 not at all. */
  readonly direction: -1 | 0 | 1;
  readonly flowWh: number;
  /** Of what it carries that way; above 1 where capacity was lowered after the trades. Undefined without a limit. */
  readonly share: number | undefined;
  readonly level: Level;
}

/** From this share on a link counts as busy. */
const BUSY = 0.6;
const THINNEST = 1.5;
const THICKEST = 11;

export function loadOf(link: LinkView): Load {
  const direction = Math.sign(link.netWh) as -1 | 0 | 1;
  const flowWh = Math.abs(link.netWh);
  const { forwardWh, backwardWh } = link;
  if (forwardWh === null || backwardWh === null) return { direction, flowWh, share: undefined, level: "open" };
  if (direction === 0) return { direction, flowWh, share: 0, level: forwardWh + backwardWh === 0 ? "shut" : "free" };
  const carriesWh = direction > 0 ? forwardWh : backwardWh;
  const share = carriesWh === 0 ? 1 : flowWh / carriesWh;
  return { direction, flowWh, share, level: share >= 1 ? "full" : share >= BUSY ? "busy" : "free" };
}

/** How thick a line is, by its part of the largest flow. */
export function thickness(flowWh: number, largestWh: number): number {
  return flowWh === 0 ? THINNEST : THINNEST + (THICKEST - THINNEST) * (flowWh / Math.max(flowWh, largestWh));
}

/** Free from one zone to a neighbour; null without a limit, undefined where they are no neighbours. */
export function freeWh(network: NetworkView, from: number, to: number): number | null | undefined {
  const border = network.borders.find((each) => each.first === Math.min(from, to) && each.second === Math.max(from, to));
  if (border === undefined) return undefined;
  return from < to ? border.forwardFreeWh : border.backwardFreeWh;
}

/**
 * The zones that energy passes from one to another: over the fewest borders that have capacity left that way, and of
 * equally short ways through the lowest zone numbers, seen from the buyer. Undefined where no way is free.
 */
export function wayTo(network: NetworkView, buyer: number, seller: number): readonly number[] | undefined {
  const zones = network.zones.map((each) => each.zone).sort((one, other) => one - other);
  const next = new Map<number, number | undefined>([[buyer, undefined]]);
  const waiting = [buyer];
  for (const here of waiting) {
    for (const there of zones) {
      const free = freeWh(network, there, here);
      if (next.has(there) || free === undefined || free === 0) continue;
      next.set(there, here);
      waiting.push(there);
    }
  }
  if (!next.has(seller)) return undefined;
  const way: number[] = [];
  for (let zone: number | undefined = seller; zone !== undefined; zone = next.get(zone)) way.push(zone);
  return way;
}

/** Whether a trade that passed these zones went over the border between two of them. */
export function crosses(zones: readonly number[], one: number, other: number): boolean {
  return zones.some((zone, place) => {
    const following = zones[place + 1];
    return (zone === one && following === other) || (zone === other && following === one);
  });
}
