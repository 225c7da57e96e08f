import type { HaltView, LinkView, MakerView, NetworkView, ReferenceView, ZoneState } from "@gridtokenx/sdk";
import { describe, expect, test } from "vitest";

import { endOf, haltOf, haltsIn, intervalIn, isInCall, takesOrders } from "../src/lib/intervals";
import { between, layout } from "../src/views/zones/layout";
import { crosses, freeWh, loadOf, thickness, wayTo } from "../src/views/zones/links";
import { pickedIn, queryOf } from "../src/views/zones/picked";
import { makersOf, scoreOf } from "../src/views/zones/makers";
import { partsOf, priceOf } from "../src/views/zones/prices";

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
    const reference = { priceMicro: 4n };
    expect(priceOf(zone(1), undefined)).toEqual({ kind: "none", micro: null });
    expect(priceOf({ ...zone(1), bestAskMicro: 3n }, reference)).toEqual({ kind: "reference", micro: 4n });
    expect(priceOf({ ...zone(1), feeders: 0 }, reference)).toEqual({ kind: "none", micro: null });
    expect(priceOf({ ...zone(1), lastPriceMicro: 2n }, reference)).toEqual({ kind: "last", micro: 2n });
    expect(priceOf({ ...zone(1), lastPriceMicro: 2n, priceMicro: 1n }, reference)).toEqual({ kind: "auction", micro: 1n });
  });

  test("a reference price comes with all its parts, in the order of the formula", () => {
    const micro = { anchorMicro: 4n, calledMicro: 1n, tradesMicro: 2n, renewableMicro: -3n, bookMicro: 0n, congestionMicro: 5n };
    expect(partsOf(micro as unknown as ReferenceView).map(({ part, micro: of }) => `${part} ${of}`)).toEqual([
      ...["anchor 4", "called 1", "trades 2", "renewable -3", "book 0", "congestion 5"],
    ]);
  });
});

describe("a halt", () => {
  const halt = (untilMs: number | null, more: Partial<HaltView> = {}): HaltView => ({
    ...{ interval: 7, zone: 1, sinceMs: 1, untilMs, reason: "band", stage: "collecting", extended: false },
    ...more,
  });

  test("of several the one that ends last counts, an open one before all", () => {
    expect(haltOf(undefined)).toBeUndefined();
    expect(haltOf({ halts: [] })).toBeUndefined();
    expect(haltOf({ halts: [halt(5), halt(9), halt(7)] })?.untilMs).toBe(9);
    expect(haltOf({ halts: [halt(5), halt(null), halt(7)] })?.untilMs).toBeNull();
  });

  test("of several zones is told once", () => {
    const [all, own] = [halt(null, { interval: null, zone: null }), halt(5)];
    expect(haltsIn([{ halts: [own, all] }, { halts: [all] }, { halts: [] }])).toEqual([all]);
    expect(haltsIn([{ halts: [own] }, { halts: [halt(5, { zone: 2 })] }])).toHaveLength(2);
  });

  test.each([
    [halt(40), 50, "resumes"],
    [halt(50), 50, "auction"],
    [halt(100), 50, "auction"],
    [halt(101), 50, "cancels"],
    [halt(99), null, "resumes"],
    [halt(100), null, "cancels"],
    [halt(null), 50, "open"],
    [halt(40, { stage: "calling" }), 50, "meets"],
    [halt(40, { stage: "meeting" }), null, "meets"],
  ] as const)("its end %o, with a call at %s, means %s", (one, callMs, end) => {
    expect(endOf(one, { gateMs: 100, callMs })).toBe(end);
  });
});

describe("makers of a zone", () => {
  const terms = { spreadMicro: 1n, sizeWh: 1, presencePerMille: 900, windowMs: 0, rebatePpm: 1, makersMax: 2, missesMax: 1 };
  const maker = { zone: 2, kept: 3, missed: 1, excused: 5 } as MakerView;

  test("are shown with its programme, and where one has ended as long as there are some", () => {
    const all = { height: 1, programmes: [{ zone: 1, terms }, { zone: 2, terms: { ...terms, makersMax: 0 } }], makers: [maker] };
    expect(makersOf(all, 1)).toEqual({ terms, makers: [] });
    expect(makersOf(all, 2)?.makers).toEqual([maker]);
    expect(makersOf({ ...all, makers: [] }, 2)).toBeUndefined();
    expect(makersOf(all, 3)).toBeUndefined();
  });

  test("are judged by intervals in which somebody could trade", () => {
    expect(scoreOf(maker)).toEqual({ kept: 3, judged: 4 });
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
