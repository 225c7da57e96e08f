import type { IntervalView, OrderView, StatementView } from "@gridtokenx/sdk";
import { describe, expect, test } from "vitest";

import { INTERVAL_MS } from "../src/lib/format";
import { dayMs, dayOf, known, shifted } from "../src/views/home/days";
import { before, billMicro, oldBillMicro, orderState, quarterOf } from "../src/views/home/quarter";

const INTERVAL = 1_865_872;
const STATEMENT: StatementView = {
  interval: INTERVAL,
  portfolio: "0102030405060708",
  quality: "measured",
  importWh: 700,
  exportWh: 0,
  soldWh: 0,
  boughtWh: 500,
  undeliveredWh: 0,
  unusedWh: 0,
  otherImportWh: 200,
  otherExportWh: 0,
  purchaseCostMicro: 2_020_000n,
  saleProceedsMicro: 0n,
  chargeMicro: 1_159_640n,
  creditMicro: 0n,
  splitChargeMicro: 0n,
  splitCreditMicro: 0n,
  rebateMicro: 0n,
};

function order(state: string, filledWh = 0): OrderView {
  return {
    ...{ clientId: "0a", state, height: 1, transaction: "", code: 0, name: "", interval: INTERVAL, side: "buy", portfolio: null, voidedWh: 0 },
    ...{ plain: null, intervals: 1 },
    ...{ priceMicro: 4_000_000n, quantityWh: 500, filledWh, remainingWh: 500 - filledWh, valueMicro: 0n, expiresMs: null, place: null },
  };
}

describe("how far a quarter is", () => {
  const at = (nowMs: number, statement?: StatementView, stage = "metering", own = order("open")) => {
    const market = { stage } as IntervalView;
    return [...quarterOf(INTERVAL, nowMs, [own, { ...own, interval: INTERVAL + 1 }], undefined, statement, market).reached];
  };

  test("step by step", () => {
    const start = INTERVAL * INTERVAL_MS;
    expect(at(start - 1)).toEqual(["ordered"]);
    expect(at(start + INTERVAL_MS)).toEqual(["ordered", "delivered"]);
    expect(at(start + INTERVAL_MS, undefined, "computing")).toEqual(["ordered", "delivered", "metered"]);
    expect(at(start + 2 * INTERVAL_MS, STATEMENT)).toEqual(["ordered", "traded", "delivered", "metered", "settled"]);
  });

  test("an order that was refused is no order", () => {
    expect(at(0, undefined, "metering", order("rejected"))).toEqual([]);
  });

  test("of all orders only those for it", () => {
    expect(quarterOf(INTERVAL + 1, 0, [order("open")], undefined, undefined, undefined).orders).toEqual([]);
  });

  test("a block order is for each of its quarters", () => {
    const block = { ...order("open"), intervals: 3 };
    const found = [-1, 0, 2, 3].map((place) => quarterOf(INTERVAL + place, 0, [block], undefined, undefined, undefined).orders.length);
    expect(found).toEqual([0, 1, 1, 0]);
  });
});

test("the bill of a quarter, and what it was before", () => {
  expect(billMicro(STATEMENT)).toBe(3_179_640n);
  expect(oldBillMicro(STATEMENT, { tariffMicro: 5_798_200n, buyBackMicro: 2_200_000n })).toBe(4_058_740n);
  // Each amount is rounded down, as settlement does.
  expect(oldBillMicro({ ...STATEMENT, importWh: 1, exportWh: 1 }, { tariffMicro: 1_999n, buyBackMicro: 1_999n })).toBe(0n);
});

describe("what a home did before", () => {
  const known = (...intervals: number[]) => new Map(intervals.map((interval) => [interval, { ...STATEMENT, interval }]));

  test("the same time of the last day that has it", () => {
    const found = before(INTERVAL, known(INTERVAL - 1, INTERVAL - 2 * 96, INTERVAL - 3 * 96));
    expect(found).toMatchObject({ interval: INTERVAL - 2 * 96, isSameTimeOfDay: true });
  });

  test("else the newest one, never one that comes later", () => {
    expect(before(INTERVAL, known(INTERVAL - 5, INTERVAL - 2, INTERVAL + 1))).toMatchObject({
      interval: INTERVAL - 2,
      isSameTimeOfDay: false,
    });
    expect(before(INTERVAL, known())).toBeUndefined();
  });
});

test("an order's state says whether some of it was filled", () => {
  expect([order("open"), order("open", 1), order("ended", 1), order("cancelled"), order("filled", 500)].map(orderState)).toEqual([
    "open",
    "part",
    "endedPart",
    "cancelled",
    "filled",
  ]);
});

test("days and months are those of Bangkok", () => {
  expect(dayOf(dayMs("2023-03-20"))).toBe("2023-03-20");
  expect(dayOf(dayMs("2023-03-20") - 1)).toBe("2023-03-19");
  expect(shifted("2023-03-01", -1)).toBe("2023-02-28");
  expect(shifted("2023-12", 1)).toBe("2024-01");
  expect(shifted("no day", 1)).toBe("no day");
});

test("of an address only days and months are taken", () => {
  expect([known("2023-03-20", 10), known("2023-03", 7)]).toEqual(["2023-03-20", "2023-03"]);
  const strange = ["2023-02-30", "2023-3-20", "<script>xx", "2023-03-20T", "", null];
  expect(strange.map((text) => known(text, 10))).toEqual(strange.map(() => undefined));
  expect([known("2023-13", 7), known("2023-03-20", 7)]).toEqual([undefined, undefined]);
});
