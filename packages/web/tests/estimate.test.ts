import { describe, expect, test } from "vitest";

import { atOnce, atWorst, holdOf, type Order } from "../src/lib/wallet/estimate";

const TERMS = {
  gridFeePpm: 10_000n,
  tradingFeePpm: 500n,
  wheelingBaseMicro: 200_000n,
  wheelingFeederMicro: 250_000n,
  wheelingBorderMicro: 300_000n,
  undeliveredSpreadMicro: 250_000n,
};
/** The example of the market's rules: 1,000 kWh at 4.50 on one feeder. */
const EXAMPLE: Order = { side: "buy", energyWh: 1_000_000, limitMicro: 4_700_000n, sources: 127 };

function level(deliveredMicro: bigint, priceMicro: bigint, quantityWh: number, nearness = 0, sources = 1) {
  return { deliveredMicro, priceMicro, nearness, feeder: 1, sources, quantityWh, orders: 1 };
}

describe("at once", () => {
  test("the example of the rules holds", () => {
    const money = atOnce(TERMS, EXAMPLE, [level(4_700_000n, 4_500_000n, 1_000_000)]);
    expect(money).toMatchObject({
      energyWh: 1_000_000,
      valueMicro: 4_500_000_000n,
      gridFeeMicro: 45_000_000n,
      wheelingMicro: 200_000_000n,
      tradingFeeMicro: 2_250_000n,
      buyerMicro: 4_747_250_000n,
      sellerMicro: 4_497_750_000n,
    });
  });

  test("best levels first, up to the limit and the energy", () => {
    const levels = [level(3_000_000n, 2_800_000n, 300), level(4_000_000n, 3_550_000n, 500, 1), level(5_000_000n, 4_800_000n, 900)];
    const money = atOnce(TERMS, { ...EXAMPLE, energyWh: 1_500 }, levels);
    expect(money.energyWh).toBe(800);
    expect(money.valueMicro).toBe((2_800n * 300n) + (3_550n * 500n));
    expect(money.wheelingMicro).toBe((200n * 300n) + (450n * 500n));
    expect(atOnce(TERMS, { ...EXAMPLE, energyWh: 400 }, levels).energyWh).toBe(400);
  });

  test("only sources that it takes", () => {
    const levels = [level(3_000_000n, 2_800_000n, 300, 0, 0b10), level(4_000_000n, 3_800_000n, 300, 0, 0b01)];
    expect(atOnce(TERMS, { ...EXAMPLE, sources: 0b01 }, levels).valueMicro).toBe(3_800n * 300n);
  });

  test("a sale gets what the bid leaves after wheeling", () => {
    const sale: Order = { side: "sell", energyWh: 500, limitMicro: 3_000_000n, sources: 1 };
    const money = atOnce(TERMS, sale, [level(3_500_000n, 3_700_000n, 500, 0, 127), level(2_900_000n, 3_100_000n, 500, 0, 127)]);
    expect(money.energyWh).toBe(500);
    expect(money.valueMicro).toBe(3_500n * 500n);
    expect(money.sellerMicro).toBe(3_500n * 500n - 875n);
  });
});

describe("at worst", () => {
  test("nothing costs a buyer more, whoever sells", () => {
    const worst = atWorst(TERMS, EXAMPLE);
    for (const nearness of [0, 1, 2, 3]) {
      const wheeling = 200_000n + (nearness > 0 ? 250_000n + 300_000n * BigInt(nearness - 1) : 0n);
      const money = atOnce(TERMS, EXAMPLE, [level(4_700_000n, 4_700_000n - wheeling, 1_000_000, nearness)]);
      expect(money.buyerMicro <= worst.buyerMicro).toBe(true);
    }
    expect(worst.buyerMicro).toBe(4_747_250_000n);
  });

  test("what is set aside covers it", () => {
    expect(holdOf(TERMS, EXAMPLE, 5_798_200n) >= atWorst(TERMS, EXAMPLE).buyerMicro).toBe(true);
    expect(holdOf(TERMS, EXAMPLE, 5_798_200n)).toBe(4_749_350_000n);
  });

  test("a seller's collateral is what the tariff exceeds the limit by, the spread and the fee", () => {
    const sale: Order = { side: "sell", energyWh: 1_000, limitMicro: 4_000_000n, sources: 1 };
    expect(holdOf(TERMS, sale, 5_798_200n)).toBe(1_798_200n + 250_000n + 2_000n);
    expect(atWorst(TERMS, sale).sellerMicro).toBe(3_998_000n);
  });

  test("a limit below all wheeling is no reason to fail", () => {
    expect(atWorst(TERMS, { ...EXAMPLE, energyWh: 1_000, limitMicro: 100_000n }).buyerMicro).toBe(101_050n);
  });
});
