import { notForTheCall, Scope, Side, TimeInForce } from "@gridtokenx/sdk";
import { describe, expect, test } from "vitest";

import { missingOf, presenceOf } from "../src/views/home/duties";
import { ALL_SOURCES, beyondBand, leastDisplayWh, messageOf, plain, proposal, read, trading, within, type Typed } from "../src/views/home/ticket";

const BOUNDS = { tickMicro: 1_000n, orderWhMin: 100, tariffMicro: 5_798_200n, buyBackMicro: 2_200_000n };
const TYPED: Typed = {
  side: "buy",
  isMarket: false,
  quantity: "0.5",
  price: "3.5",
  force: "gate",
  sources: ALL_SOURCES,
  source: 0,
  postOnly: false,
  minimum: "",
  reach: "anywhere",
  display: "",
};
const PORTFOLIO = new Uint8Array(8);

describe("what is typed", () => {
  test("becomes whole numbers", () => {
    const { draft } = read({ ...TYPED, quantity: " 1,234.567 ", price: "๓.๕๐๑", minimum: "0.1" }, BOUNDS);
    expect(draft).toEqual({ side: "buy", energyWh: 1_234_567, limitMicro: 3_501_000n, sources: 127, minimumWh: 100, displayWh: 0 });
  });

  test.each([
    [{ quantity: "a lot" }, "quantityBad"],
    [{ quantity: "-1" }, "quantityBad"],
    [{ quantity: "0.0001" }, "quantityBad"],
    [{ quantity: "0.099" }, "quantitySmall"],
    [{ price: "" }, "priceBad"],
    [{ price: "0" }, "priceBad"],
    [{ price: "<script>" }, "priceBad"],
    [{ price: "3.5001" }, "priceTick"],
    [{ sources: [] }, "sourcesBad"],
    [{ minimum: "0.6" }, "minimumBad"],
    [{ minimum: "x" }, "minimumBad"],
    [{ display: "x" }, "displayBad"],
    [{ display: "0.5" }, "displayBad"],
    [{ display: "0.099" }, "displayBad"],
    [{ quantity: "10", display: "0.499" }, "displayBad"],
  ] as const)("is told what is wrong: %o", (typed, wrong) => {
    expect(read({ ...TYPED, ...typed }, BOUNDS)).toEqual({ draft: undefined, wrong: [wrong] });
  });

  test("a market order has the supplier's price as its limit, on the tick, and needs none typed", () => {
    expect(read({ ...TYPED, isMarket: true, price: "" }, BOUNDS).draft?.limitMicro).toBe(5_798_000n);
    expect(read({ ...TYPED, isMarket: true, side: "sell" }, BOUNDS).draft?.limitMicro).toBe(2_200_000n);
  });
});

describe("the message to sign", () => {
  const message = (typed: Partial<Typed>) => {
    const whole = { ...TYPED, ...typed };
    return messageOf(whole, read(whole, BOUNDS).draft!, PORTFOLIO, 1_865_900, 1_000);
  };

  test("a purchase says which sources it takes", () => {
    expect(message({ sources: [0, 2] })).toMatchObject({ side: Side.BUY, source: 0b101, priceMicro: 3_500_000n, quantityWh: 500n });
  });

  test("a sale says its source", () => {
    expect(message({ side: "sell", source: 5 })).toMatchObject({ side: Side.SELL, source: 5 });
  });

  test("a market order has no price and does not wait", () => {
    expect(message({ isMarket: true, force: "60", postOnly: true })).toMatchObject({
      market: true,
      priceMicro: 0n,
      timeInForce: TimeInForce.IMMEDIATE_OR_CANCEL,
      goodTillMs: 0n,
      postOnly: false,
    });
  });

  test("times count from chain time", () => {
    expect(message({ force: "30", postOnly: true })).toMatchObject({
      timeInForce: TimeInForce.GOOD_TILL_TIME,
      goodTillMs: 1_801_000n,
      postOnly: true,
    });
    expect(message({ force: "whole", postOnly: true })).toMatchObject({ timeInForce: TimeInForce.FILL_OR_KILL, postOnly: false });
  });

  test("an order may stay near and show a part of itself", () => {
    expect(message({ reach: "feeder", quantity: "10", display: "0.5" })).toMatchObject({ scope: Scope.FEEDER, displayWh: 500n });
    expect(message({ reach: "zone" })).toMatchObject({ scope: Scope.ZONE, displayWh: 0n });
    expect(leastDisplayWh(10_001, 100)).toBe(501);
  });

  test("what does not wait shows nothing", () => {
    expect(message({ display: "x", force: "now" })).toMatchObject({ displayWh: 0n });
  });

  test("in the call it is plain, whatever was wished", () => {
    const wished = { ...TYPED, isMarket: true, force: "15", sources: [0], postOnly: true, minimum: "0.2", reach: "zone", display: "0.2" } as const;
    expect(plain(wished)).toEqual(TYPED);
  });

  test("each has a name of its own", () => {
    expect(message({}).clientId).not.toEqual(message({}).clientId);
  });
});

describe("what can be met", () => {
  test("is what lies within the order's reach", () => {
    const levels = [{ nearness: 0 }, { nearness: 1 }, { nearness: 2 }];
    expect(within(levels, "anywhere")).toHaveLength(3);
    expect(within(levels, "zone")).toHaveLength(2);
    expect(within(levels, "feeder")).toEqual([{ nearness: 0 }]);
  });
});

describe("a price to begin with", () => {
  const level = (deliveredMicro: bigint, quantityWh: number) => ({ deliveredMicro, quantityWh });

  test("is that at which all of it trades, rounded so that it does", () => {
    const levels = [level(3_000_000n, 200), level(3_100_500n, 300), level(4_000_000n, 900)];
    expect(proposal("buy", 500, levels, undefined, BOUNDS)).toBe(3_101_000n);
    expect(proposal("sell", 500, [level(3_100_500n, 600)], undefined, BOUNDS)).toBe(3_100_000n);
  });

  test("is never worse than the supplier's", () => {
    expect(proposal("buy", 500, [level(5_900_000n, 900)], undefined, BOUNDS)).toBe(3_999_000n);
    expect(proposal("sell", 500, [level(2_000_000n, 900)], 2_100_000n, BOUNDS)).toBe(3_999_000n);
  });

  test("is the last trade's when there is not enough", () => {
    expect(proposal("buy", 500, [level(3_000_000n, 200)], 4_123_456n, BOUNDS)).toBe(4_123_000n);
  });
});

test("in the call phase whatever was typed becomes a plain order", () => {
  const typed = { ...TYPED, isMarket: true, force: "whole", sources: [1], postOnly: true, minimum: "0.2" } as const;
  const { draft } = read(plain(typed), BOUNDS);
  const order = messageOf(plain(typed), draft!, PORTFOLIO, 100, 0);
  expect(notForTheCall(order, 90_000_000)).toBeUndefined();
  expect(order).toMatchObject({ side: Side.BUY, priceMicro: 3_500_000n, quantityWh: 500n, timeInForce: TimeInForce.GOOD_TILL_GATE });
});

describe("a limit beyond the price band", () => {
  const BAND = { lowMicro: 2_000_000n, highMicro: 6_000_000n, haltsByBand: 0 };
  const TERMS = {
    ...{ gridFeePpm: 10_000, tradingFeePpm: 500, wheelingBaseMicro: 200_000n, wheelingFeederMicro: 250_000n },
    ...{ wheelingBorderMicro: 300_000n, undeliveredSpreadMicro: 250_000n, orderWhMin: 100, haltMs: 60_000 },
  };
  const beyond = (typed: Partial<Typed>, band: Partial<Parameters<typeof beyondBand>[2]> = {}, haltMs = 60_000) => {
    const whole = { ...TYPED, quantity: "1", ...typed };
    return beyondBand(whole, read(whole, BOUNDS).draft!, { ...BAND, ...band }, { ...TERMS, haltMs });
  };

  test.each([
    [{ side: "sell", price: "6" }, undefined],
    [{ side: "sell", price: "2" }, undefined],
    [{ side: "sell", price: "1.999" }, { kind: "edge", edgeMicro: 2_000_000n }],
    [{ side: "sell", price: "6.001" }, { kind: "halts", edgeMicro: 6_000_000n }],
    [{ side: "buy", price: "2.2" }, undefined],
    [{ side: "buy", price: "6.2" }, undefined],
    [{ side: "buy", price: "6.201" }, { kind: "edge", edgeMicro: 6_000_000n }],
    [{ side: "buy", price: "2.199" }, { kind: "halts", edgeMicro: 2_200_000n }],
  ] as const)("%o: %o", (typed, expected) => {
    expect(beyond(typed)).toEqual(expected);
  });

  test("halts trade only with enough energy that stays, and not for ever", () => {
    const wild = { side: "sell", price: "9" } as const;
    expect(beyond({ ...wild, quantity: "0.999" })?.kind).toBe("cancels");
    expect(beyond({ ...wild, force: "now" })?.kind).toBe("cancels");
    expect(beyond(wild, { haltsByBand: 3 })?.kind).toBe("cancels");
    expect(beyond(wild, {}, 0)?.kind).toBe("cancels");
    expect(beyond({ ...wild, postOnly: true })?.kind).toBe("waits");
    expect(beyond({ ...wild, isMarket: true })).toBeUndefined();
    expect(beyond(wild, { lowMicro: null, highMicro: null })).toBeUndefined();
  });
});

test("nobody in a halted zone can be met", () => {
  expect(trading([{ feeder: 11 }, { feeder: 21 }], new Set([21, 22]))).toEqual([{ feeder: 11 }]);
});

describe("a maker's duty", () => {
  const asked = { spreadMicro: 500_000n, sizeWh: 1_000, presencePerMille: 900, windowMs: 0, rebatePpm: 1, makersMax: 2, missesMax: 1 };

  test("what is missing is said in figures", () => {
    const duty = { asked, shownBuyWh: 400, shownSellWh: 0, spreadMicro: null, missing: ["buy_size", "sell_size"] };
    expect(missingOf(duty)).toEqual([
      { what: "buy", energyWh: 600 },
      { what: "sell", energyWh: 1_000 },
    ]);
    expect(missingOf({ ...duty, spreadMicro: 620_000n, missing: ["spread"] })).toEqual([{ what: "spread", priceMicro: 120_000n }]);
    expect(missingOf({ ...duty, missing: [] })).toEqual([]);
  });

  test("presence is a part of the time that has counted, if any has", () => {
    expect(presenceOf({ presentMs: 3, countedMs: 4 })).toBe(0.75);
    expect(presenceOf({ presentMs: 0, countedMs: 0 })).toBeUndefined();
  });
});
