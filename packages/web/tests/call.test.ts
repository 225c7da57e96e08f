import type { CallMoment, CurveStep } from "@gridtokenx/sdk";
import { describe, expect, test } from "vitest";

import { atPrice, curvesOf, prospect, surplus, withMoment } from "../src/views/call/curves";

const step = (priceMicro: number, offeredWh: number, wantedWh: number): CurveStep => ({ priceMicro: BigInt(priceMicro), offeredWh, wantedWh });
/** Offered: 100 at 2, 200 at 3. Wanted: 150 at 4, 50 at 2. */
const STEPS = [step(2, 100, 50), step(3, 200, 0), step(4, 0, 150)];

describe("curves", () => {
  test("supply rises and demand falls over the same energies", () => {
    expect(curvesOf(STEPS)).toEqual({
      energyWh: [0, 100, 150, 200, 300],
      supply: [2, 2, 3, 3, 3],
      demand: [4, 4, 4, 2, null],
    });
  });

  test("one side alone, and nothing at all", () => {
    expect(curvesOf([step(2, 100, 0)])).toEqual({ energyWh: [0, 100], supply: [2, 2], demand: [null, null] });
    expect(curvesOf([])).toEqual({ energyWh: [0], supply: [null], demand: [null] });
  });

  test("at a price: offers up to it, wishes from it", () => {
    expect(atPrice(STEPS, 3)).toEqual({ offeredWh: 300, wantedWh: 150 });
    expect(atPrice(STEPS, 1)).toEqual({ offeredWh: 0, wantedWh: 200 });
  });

  test("the side with more than can trade is told", () => {
    expect(surplus(STEPS, 3, 150, 150)).toEqual({ side: "offered", energyWh: 150 });
    expect(surplus(STEPS, 2, 100, 100)).toEqual({ side: "wanted", energyWh: 100 });
    expect(surplus(STEPS, 4, 300, 150)).toEqual({ side: "none", energyWh: 0 });
  });
});

describe("one's own order", () => {
  test.each([
    ["sell", 3n, 3n, "part"],
    ["sell", 2n, 3n, "full"],
    ["sell", 4n, 3n, "none"],
    ["buy", 5n, 3n, "part"],
    ["buy", 6n, 3n, "full"],
    ["buy", 4n, 3n, "none"],
    ["buy", 4n, undefined, "unknown"],
  ] as const)("to %s at %s with a price of %s: %s", (side, limit, price, expected) => {
    expect(prospect(side, limit, 2n, price)).toBe(expected);
  });
});

describe("moments", () => {
  const moment = (height: number, priceMicro = BigInt(height)): CallMoment => ({
    height,
    timeMs: height * 1_000,
    orders: 1,
    zones: [{ zone: 1, priceMicro, soldWh: 1, boughtWh: 1 }],
  });

  test("grow by what changed", () => {
    const one = withMoment([], moment(1), 9);
    expect(withMoment(one, moment(1), 9)).toBe(one);
    expect(withMoment(one, moment(2, 1n), 9)).toBe(one);
    expect(withMoment(one, moment(2), 9).map((each) => each.height)).toEqual([1, 2]);
  });

  test("stay few, and keep the newest", () => {
    let all: readonly CallMoment[] = [];
    for (let height = 1; height <= 100; height += 1) {
      all = withMoment(all, moment(height), 8);
      expect(all.length).toBeLessThanOrEqual(8);
      expect(all.at(-1)?.height).toBe(height);
    }
  });
});
