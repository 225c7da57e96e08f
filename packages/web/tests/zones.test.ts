import type { LinkView, NetworkView, ZoneState } from "@gridtokenx/sdk";
import { describe, expect, test } from "vitest";

import { intervalIn, isInCall, takesOrders } from "../src/lib/intervals";
import { between, layout } from "../src/views/zones/layout";
import { crosses, freeWh, loadOf, thickness, wayTo } from "../src/views/zones/links";
import { pickedIn, queryOf } from "../src/views/zones/picked";
import { priceOf } from "../src/views/zones/prices";

const border = (first: number, second: number, forwardWh: number | null, backwardWh: number | null, netWh = 0): LinkView => ({
  first,
  second,
  forwardWh,
  backwardWh,
  netWh,
  forwardFreeWh: forwardWh === null ? null : Math.max(0, forwardWh - netWh),
  backwardFreeWh: backwardWh === null ? null : Math.max(0, backwardWh + netWh),
});
const zone = (number: number): ZoneState => ({
  zone: number,
  orders: 0,
  wantedWh: 0,
  offeredWh: 0,
  bestBidMicro: null,
  bestAskMicro: null,
  lastPriceMicro: null,
  priceMicro: null,
  soldWh: 0,
  boughtWh: 0,
  feeders: 1,
  limitedFeeders: 0,
});
const network = (borders: readonly LinkView[], zones = 4): NetworkView => ({
  interval: 7,
  height: 1,
  timeMs: 0,
  closed: false,
  zones: Array.from({ length: zones }, (_, place) => zone(place + 1)),
  borders,
});

describe("where zones stand", () => {
  test("those of Thailand as they lie to each other", () => {
    const spots = layout(["Bangkok", "North", "South", "East", "West"].map((name, place) => ({ zone: place + 1, name })));
    expect(spots.get(2)!.y).toBeLessThan(spots.get(1)!.y);
    expect(spots.get(3)!.y).toBeGreaterThan(spots.get(1)!.y);
    expect(spots.get(5)!.x).toBeLessThan(spots.get(4)!.x);
  });

  test("others on a ring, each at its own place inside the map", () => {
    for (const names of [["a"], ["Bangkok", "bangkok"], ["Bangkok", "elsewhere"], Array.from({ length: 30 }, (_, n) => `z${n}`)]) {
      const spots = [...layout(names.map((name, place) => ({ zone: place, name }))).values()];
      expect(new Set(spots.map((spot) => `${spot.x} ${spot.y}`)).size).toBe(names.length);
      for (const spot of spots) for (const at of [spot.x, spot.y]) expect(at > 5 && at < 95).toBe(true);
    }
  });

  test("an arrow points from the first to the second, whatever the map's shape", () => {
    const [one, other] = [{ x: 20, y: 20 }, { x: 60, y: 60 }];
    expect(between(one, other, 100, 100)).toEqual({ x: 40, y: 40, degrees: 45 });
    expect(between(other, one, 100, 100).degrees).toBe(-135);
    expect(between(one, other, 100, 1_000_000).degrees).toBeCloseTo(90, 1);
  });
});

describe("what a link carries", () => {
  test.each([
    [border(1, 2, null, null, 50), { direction: 1, flowWh: 50, share: undefined, level: "open" }],
    [border(1, 2, 100, 100), { direction: 0, flowWh: 0, share: 0, level: "free" }],
    [border(1, 2, 0, 0), { direction: 0, flowWh: 0, share: 0, level: "shut" }],
    [border(1, 2, 100, 10, 59), { direction: 1, flowWh: 59, share: 0.59, level: "free" }],
    [border(1, 2, 100, 10, 60), { direction: 1, flowWh: 60, share: 0.6, level: "busy" }],
    [border(1, 2, 100, 10, -10), { direction: -1, flowWh: 10, share: 1, level: "full" }],
    [border(1, 2, 50, 10, 100), { direction: 1, flowWh: 100, share: 2, level: "full" }],
    [border(1, 2, 0, 10, 5), { direction: 1, flowWh: 5, share: 1, level: "full" }],
  ] as const)("is seen from the way that it flows: %o", (link, load) => {
    expect(loadOf(link)).toEqual(load);
  });

  test("the largest flow has the thickest line, and none is thinner than nothing", () => {
    expect(thickness(0, 0)).toBe(thickness(0, 1_000));
    expect(thickness(1_000, 1_000)).toBeGreaterThan(thickness(10, 1_000));
    expect(thickness(10, 1_000)).toBeGreaterThan(thickness(0, 1_000));
  });
});

describe("the way from one zone to another", () => {
  test("leads over the fewest borders", () => {
    const ring = network([border(1, 2, 10, 10), border(2, 3, 10, 10), border(3, 4, 10, 10), border(1, 4, 10, 10)]);
    expect(wayTo(ring, 4, 1)).toEqual([1, 4]);
    // Of equally short ones that through the lowest zone, seen from the buyer.
    expect(wayTo(ring, 3, 1)).toEqual([1, 2, 3]);
    expect(wayTo(ring, 3, 3)).toEqual([3]);
  });

  test("goes round a full border, and only the way that is full is closed", () => {
    const ring = network([border(1, 2, 10, 10, 10), border(2, 3, 10, 10), border(1, 3, 10, 10)], 3);
    expect(wayTo(ring, 2, 1)).toEqual([1, 3, 2]);
    expect(wayTo(ring, 1, 2)).toEqual([2, 1]);
    expect(freeWh(ring, 2, 1)).toBe(20);
    expect(freeWh(ring, 1, 4)).toBeUndefined();
  });

  test("may not exist", () => {
    expect(wayTo(network([border(1, 2, 0, 10)], 2), 2, 1)).toBeUndefined();
    expect(wayTo(network([], 2), 2, 1)).toBeUndefined();
    expect(wayTo(network([border(1, 2, null, null)], 2), 2, 1)).toEqual([1, 2]);
  });

  test("a trade crosses a border in either direction, and no other", () => {
    expect(crosses([3, 1, 2], 2, 1)).toBe(true);
    expect(crosses([3, 1, 2], 2, 3)).toBe(false);
    expect(crosses([], 1, 2)).toBe(false);
  });
});

describe("what is chosen", () => {
  test("stands in the address", () => {
    for (const picked of [{ kind: "zone", zone: 3 }, { kind: "border", first: 1, second: 12 }] as const) {
      expect(pickedIn(new URLSearchParams(queryOf(picked)))).toEqual(picked);
    }
  });

  test.each(["", "zone=", "zone=-1", "zone=1234", "border=1", "border=1-2-3", "border=a-b"])("nonsense is nothing: %s", (query) => {
    expect(pickedIn(new URLSearchParams(query))).toBeUndefined();
  });

  test("a zone's price is the best known", () => {
    expect(priceOf(zone(1))).toEqual({ kind: "none", micro: null });
    expect(priceOf({ ...zone(1), bestAskMicro: 3n })).toEqual({ kind: "ask", micro: 3n });
    expect(priceOf({ ...zone(1), bestAskMicro: 3n, lastPriceMicro: 2n })).toEqual({ kind: "last", micro: 2n });
    expect(priceOf({ ...zone(1), lastPriceMicro: 2n, priceMicro: 1n })).toEqual({ kind: "auction", micro: 1n });
  });
});

describe("an interval", () => {
  const interval = { phase: "trading", gateMs: 100, callMs: 50 } as Parameters<typeof isInCall>[0];

  test("takes orders until its gate, and collects them from its call on", () => {
    expect([takesOrders(interval, 99), takesOrders(interval, 100)]).toEqual([true, false]);
    expect(takesOrders({ ...interval, phase: "clearing" }, 0)).toBe(false);
    expect([isInCall(interval, 49), isInCall(interval, 50), isInCall(interval, 100)]).toEqual([false, true, false]);
    expect(isInCall({ ...interval, callMs: null }, 99)).toBe(false);
  });

  test("is a number in an address", () => {
    expect(["7", "", null, "7a", "-7", "12345678901"].map(intervalIn)).toEqual([7, undefined, undefined, undefined, undefined, undefined]);
  });
});
