import type { BookView, Level } from "@gridtokenx/sdk";
import { describe, expect, test } from "vitest";

import { depthOf, ladderOf, outOfReach } from "../src/views/market/book";
import { perUnit } from "../src/views/market/costs";

const level = (priceMicro: bigint, quantityWh: number, feeder = 1): Level => ({
  priceMicro,
  feeder,
  sources: 1,
  quantityWh,
  orders: 1,
  scope: 0,
});
const BOOK: BookView = {
  interval: 7,
  height: 1,
  timeMs: 0,
  checksum: "",
  levels: 4,
  bids: [level(2_750_000n, 400), level(3_500_000n, 100), level(3_000_000n, 600, 2)],
  asks: [level(3_400_000n, 250), level(3_300_000n, 500, 2)],
  feeder: 1,
  deliveredBids: [
    { ...level(3_500_000n, 100), deliveredMicro: 3_300_000n, nearness: 0 },
    { ...level(2_750_000n, 400), deliveredMicro: 2_550_000n, nearness: 0 },
    { ...level(3_000_000n, 600, 2), deliveredMicro: 2_550_000n, nearness: 1 },
  ],
  deliveredAsks: [
    { ...level(3_400_000n, 250), deliveredMicro: 3_600_000n, nearness: 0 },
    { ...level(3_300_000n, 500, 2), deliveredMicro: 3_750_000n, nearness: 1 },
  ],
};

describe("the book by delivered price", () => {
  test("best first on both sides, equal prices together", () => {
    const ladder = ladderOf(BOOK);
    expect(ladder.bids).toEqual([
      { priceMicro: 3_300_000, energyWh: 100, togetherWh: 100 },
      { priceMicro: 2_550_000, energyWh: 1_000, togetherWh: 1_100 },
    ]);
    expect(ladder.asks.map((step) => [step.priceMicro, step.togetherWh])).toEqual([
      [3_600_000, 250],
      [3_750_000, 750],
    ]);
  });

  test("what cannot be met is not in it, and is counted", () => {
    const far = { ...BOOK, asks: [...BOOK.asks, level(3_000_000n, 900, 3)], levels: 6, deliveredBids: BOOK.deliveredBids!.slice(0, 2) };
    expect(ladderOf(far).asks.map((step) => step.energyWh)).toEqual([250, 500]);
    expect(outOfReach(far)).toEqual({ wantedWh: 600, offeredWh: 900 });
    expect(outOfReach({ ...BOOK, levels: 5 })).toBeUndefined();
    expect(outOfReach({ ...far, levels: 7 })).toBeUndefined();
  });

  test("depth grows away from the middle and is nothing inside it", () => {
    const [prices, wanted, offered] = depthOf(ladderOf(BOOK), 2_000_000, 4_000_000);
    expect(prices).toEqual([2_000_000, 2_550_000, 3_300_000, 3_600_000, 3_750_000, 4_000_000]);
    expect(wanted).toEqual([1_100, 1_100, 100, null, null, null]);
    expect(offered).toEqual([null, null, null, 250, 750, 750]);
  });

  test("an empty book has no depth", () => {
    const [, wanted, offered] = depthOf({ bids: [], asks: [] }, 1, 2);
    expect([...wanted, ...offered].every((value) => value === null)).toBe(true);
  });
});

describe("what a kilowatt hour costs", () => {
  const fees = { gridFeePpm: 10_000, tradingFeePpm: 500 };

  test("is the example of the market's rules: 1,000 kWh at 4.50", () => {
    const each = perUnit([{ quantityWh: 1_000_000, priceMicro: 4_500_000n, wheelingMicro: 200_000_000n }], fees);
    expect(each?.buyerMicro).toBeCloseTo(4_747_250);
    expect(each?.sellerMicro).toBeCloseTo(4_497_750);
  });

  test("is a mean by energy, not by trade", () => {
    const each = perUnit(
      [
        { quantityWh: 3_000, priceMicro: 3_000_000n, wheelingMicro: 0n },
        { quantityWh: 1_000, priceMicro: 5_000_000n, wheelingMicro: 0n },
      ],
      { gridFeePpm: 0, tradingFeePpm: 0 },
    );
    expect(each?.priceMicro).toBe(3_500_000);
  });

  test("is not known without trades", () => {
    expect(perUnit([], fees)).toBeUndefined();
  });
});
