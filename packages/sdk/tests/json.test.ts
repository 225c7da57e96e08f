import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { AnswerNotUnderstood, BookView, OrderView, parseJson, readJson, StatusView, Submitted, TransactionView } from "../src/index.js";
import * as sdk from "../src/index.js";
import { writeJson } from "../src/json.js";

const ORDER = '{"client_id":"00","state":"open","height":5';

describe("integers", () => {
  test("money is exact however large", () => {
    const view = readJson(OrderView, `${ORDER},"price_micro":9007199254740993,"value_micro":4611686018427387904}`);
    expect([view.priceMicro, view.valueMicro]).toEqual([9007199254740993n, 4611686018427387904n]);
  });

  test("small money is a bigint, too", () => {
    expect(readJson(OrderView, `${ORDER},"price_micro":4500000}`).priceMicro).toBe(4_500_000n);
  });

  test("other integers are numbers, and refused where a number is not exact", () => {
    expect(readJson(OrderView, `${ORDER},"quantity_wh":9007199254740991}`).quantityWh).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => readJson(OrderView, `${ORDER},"quantity_wh":9007199254740993}`)).toThrow(AnswerNotUnderstood);
  });

  test.each(["1.5", "1e3x", '"7"', "true", "1e400", "9007199254740993.5"])("%s is no money", (spelled) => {
    expect(() => readJson(OrderView, `${ORDER},"price_micro":${spelled}}`)).toThrow(AnswerNotUnderstood);
  });

  test("long numbers inside texts stay texts", () => {
    expect(parseJson('{"a":"12345678901234567890"}')).toEqual({ a: "12345678901234567890" });
  });
});

test("what is missing has its default, and what is unknown is ignored", () => {
  const view = readJson(OrderView, `${ORDER},"tomorrow":[1]}`);
  expect(view).toMatchObject({ clientId: "00", transaction: "", code: 0, priceMicro: null });
  expect(view).not.toHaveProperty("tomorrow");
});

test.each(["", "[]", "null", "7", "{", '{"chain":1}', "[".repeat(10_000), '{"__proto__":{"chain":"x"}}'])(
  "%s is no status",
  (source) => {
    expect(() => readJson(StatusView, source)).toThrow(AnswerNotUnderstood);
  },
);

test("the place of a fault is named", () => {
  const book = '{"interval":1,"height":1,"time_ms":1,"checksum":"","levels":1,"bids":[{"price_micro":1}],"asks":[]}';
  expect(() => readJson(BookView, book)).toThrow(/bids\[0\]\.feeder/);
});

test("names inherited from objects are not fields", () => {
  expect(() => readJson(Submitted, '{"id":"","state":"","code":0,"name":""}')).toThrow(/field/);
});

test("a request has the names of the API", () => {
  const request = { clientId: "00", waitMs: 5, missing: undefined, list: [{ oneTwo: null }], pair: [0, "a"] };
  expect(writeJson(request)).toBe('{"client_id":"00","wait_ms":5,"list":[{"one_two":null}],"pair":[0,"a"]}');
});

test("results of messages are lists of numbers", () => {
  const view = readJson(TransactionView, '{"id":"00","state":"committed","results":[[1,2],[]]}');
  expect(view.results).toEqual([[1, 2], []]);
});

test("whatever JSON comes, it is read or refused, and nothing else happens", () => {
  const readers: readonly sdk.Reader<unknown>[] = [sdk.BlockView, sdk.Bill, sdk.AccountEvent, sdk.Problem, sdk.Community];
  const refused = (reader: sdk.Reader<unknown>, source: string): void => {
    try {
      readJson(reader, source);
    } catch (error) {
      expect(error).toBeInstanceOf(AnswerNotUnderstood);
    }
  };
  fc.assert(fc.property(fc.constantFrom(...readers), fc.oneof(fc.json(), fc.string()), refused), { numRuns: 500 });
});
