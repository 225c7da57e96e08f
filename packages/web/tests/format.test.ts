import { describe, expect, test } from "vitest";

import { firstIntervalOfDay, formatOf, intervalAt, meanPriceMicro } from "../src/lib/format";

const en = formatOf("en");
const th = formatOf("th");
/** 2023-03-20 10:15 in Bangkok. */
const MORNING_MS = Date.UTC(2023, 2, 20, 3, 15);

describe("money and energy", () => {
  test("prices are millionths per kWh, whatever integer holds them", () => {
    expect(en.price(5_798_200)).toBe("5.798");
    expect(en.price(5_798_200n, 2)).toBe("5.80");
  });

  test("amounts have two places and thousands apart", () => {
    expect(en.money(4_747_250_000n)).toBe("4,747.25");
    expect(th.money(4_747_250_000n)).toBe("4,747.25");
  });

  test("a loss has a real minus, a gain its plus, nothing has neither", () => {
    expect(en.moneySigned(-1_500_000)).toBe("\u22121.50");
    expect(en.moneySigned(1_500_000)).toBe("+1.50");
    expect(en.moneySigned(0)).toBe("0.00");
    expect(en.moneySigned(-1_000)).toBe("0.00");
    expect(en.moneySigned(1_000)).toBe("0.00");
  });

  test("energy is shown in kWh", () => {
    expect(en.energy(1_234)).toBe("1.23");
    expect(en.energy(1_234_567, 1)).toBe("1,234.6");
  });

  test("a mean price needs energy", () => {
    expect(meanPriceMicro(4_500_000n, 1_000)).toBe(4_500_000);
    expect(meanPriceMicro(0n, 0)).toBeUndefined();
  });
});

test("names stand in a sentence", () => {
  expect(en.list(["home-01", "home-02", "home-03"])).toMatch(/^home-01, home-02,? and home-03$/);
  expect(th.list(["home-01", "home-02"])).toMatch(/^home-01 ?และ home-02$/);
});

describe("time", () => {
  test("is Bangkok's, wherever the reader is", () => {
    expect(en.time(MORNING_MS)).toBe("10:15");
    expect(th.time(MORNING_MS)).toBe("10:15");
    expect(en.interval(intervalAt(MORNING_MS))).toBe("10:15–10:30");
  });

  test("midnight is 00:00", () => {
    expect(en.time(Date.UTC(2023, 2, 19, 17))).toBe("00:00");
    expect(th.clock(Date.UTC(2023, 2, 19, 17))).toBe("00:00:00");
  });

  test("Thai years are Buddhist, digits are not Thai", () => {
    expect(th.date(MORNING_MS)).toContain("2566");
    expect(th.date(MORNING_MS)).toContain("มีนาคม");
    expect(th.moment(MORNING_MS)).toContain("2566");
    expect(en.date(MORNING_MS)).toMatch(/^Monday,? 20 March 2023$/);
  });

  test("a day begins at midnight in Bangkok", () => {
    const midnightMs = Date.UTC(2023, 2, 19, 17);
    expect(firstIntervalOfDay(midnightMs)).toBe(intervalAt(midnightMs));
    expect(firstIntervalOfDay(midnightMs - 1)).toBe(intervalAt(midnightMs) - 96);
    expect(firstIntervalOfDay(MORNING_MS)).toBe(intervalAt(midnightMs));
  });

  test("countdowns end at zero", () => {
    expect(en.countdown(65_999)).toBe("1:05");
    expect(en.countdown(3_725_000)).toBe("1:02:05");
    expect(en.countdown(-5)).toBe("0:00");
  });
});
