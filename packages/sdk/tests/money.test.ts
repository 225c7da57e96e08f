import fc from "fast-check";
import { expect, test } from "vitest";

import * as sdk from "../src/index.js";

test.each([
  [4_747_250_000n, "4,747.25 WATT"],
  [0n, "0.00 WATT"],
  [-1n, "−0.000001 WATT"],
  [1_000_000, "1.00 WATT"],
  [2n ** 62n, "4,611,686,018,427.387904 WATT"],
])("%s micro is %s", (amountMicro, text) => {
  expect(sdk.formatWatt(amountMicro)).toBe(text);
});

test.each([
  [4_747_250_000n, "en", "฿4,747.25"],
  [4_747_250_000n, "th", "4,747.25 บาท"],
  [-5_000n, "en", "−฿0.01"],
  [-4_999n, "en", "฿0.00"],
  [999_995_000n, "th", "1,000.00 บาท"],
] as const)("%s micro in baht, %s: %s", (amountMicro, language, text) => {
  expect(sdk.formatBaht(amountMicro, language)).toBe(text);
});

test("prices and energy in both languages", () => {
  expect(sdk.formatPrice(4_500_000n, "en")).toBe("4.50 THB/kWh");
  expect(sdk.formatPrice(5_218_300n, "th")).toBe("5.2183 บาท/หน่วย");
  expect(sdk.formatEnergy(1_234, "en")).toBe("1.234 kWh");
  expect(sdk.formatEnergy(1_000_000, "th")).toBe("1,000 หน่วย");
  expect(sdk.formatEnergy(1_250, "en", { least: 1, most: 1 })).toBe("1.3 kWh");
});

test("a number that is not exact is not formatted", () => {
  expect(() => sdk.formatWatt(2 ** 53)).toThrow(RangeError);
});

test("what is formatted can be read again", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), (amountMicro) => {
      expect(sdk.parseWatt(sdk.formatDecimal(amountMicro, 6))).toBe(amountMicro);
    }),
  );
});

test.each([
  ["4.5", 4_500_000n],
  [" 1,234.5 ", 1_234_500_000n],
  ["๔.๕๐", 4_500_000n],
  ["-3", -3_000_000n],
  ["0.000001", 1n],
])("%s is typed for %s micro", (typed, amountMicro) => {
  expect(sdk.parseWatt(typed)).toBe(amountMicro);
});

test.each(["", ".", "4.", ".5", "1e3", "0.0000001", "1,23", "12,34.5", "abc", "--1", "1 000", "NaN", "9".repeat(60)])(
  "%s is no amount",
  (typed) => {
    expect(sdk.parseWatt(typed)).toBeUndefined();
  },
);

test("energy as typed", () => {
  expect(sdk.parseEnergy("1.234")).toBe(1_234);
  expect(sdk.parseEnergy("1.2345")).toBeUndefined();
  expect(sdk.parseEnergy("99999999999999999")).toBeUndefined();
});

test("the example that must hold: 1,000 kWh at 4.50 on one feeder", () => {
  const terms = {
    gridFeePpm: 10_000,
    tradingFeePpm: 500,
    wheelingBaseMicro: 200_000n,
    wheelingFeederMicro: 250_000n,
    wheelingBorderMicro: 300_000n,
    undeliveredSpreadMicro: 250_000n,
  };
  const cost = sdk.tradeCost(terms, 4_500_000n, 1_000_000, sdk.wheelingPerKwhMicro(terms, 0));
  expect([cost.buyerMicro, cost.sellerMicro]).toEqual([4_747_250_000n, 4_497_750_000n]);
});
