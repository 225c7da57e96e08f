import fc from "fast-check";
import { describe, expect, test } from "vitest";

import * as sdk from "../src/index.js";
import type { Kind } from "../src/kinds.js";
import { valueOf } from "./arbitrary.js";
import { readable } from "./plain.js";

const KINDS = (Object.values(sdk) as unknown[]).filter(
  (each): each is Kind => typeof each === "object" && each !== null && "is" in each,
);

/** The value, or undefined if the bytes are refused: nothing else may happen. */
function decoded(kind: Kind, bytes: Uint8Array): { value: unknown } | undefined {
  try {
    return { value: sdk.decode(kind, bytes) };
  } catch (error) {
    expect(error).toBeInstanceOf(sdk.Malformed);
    return undefined;
  }
}

test("there are many kinds", () => {
  expect(KINDS.length).toBeGreaterThan(50);
});

test("a value comes back from its own bytes", () => {
  fc.assert(
    fc.property(fc.constantFrom(...KINDS).chain((kind) => fc.tuple(fc.constant(kind), valueOf(kind))), ([kind, value]) => {
      expect(readable(sdk.decode(kind, sdk.encode(kind, value)))).toEqual(readable(value));
    }),
    { numRuns: 500 },
  );
});

test("a changed byte is refused or is another value in its own encoding", () => {
  const changed = fc.constantFrom(...KINDS).chain((kind) =>
    fc.tuple(fc.constant(kind), valueOf(kind), fc.nat(), fc.integer({ min: 1, max: 255 })),
  );
  fc.assert(
    fc.property(changed, ([kind, value, place, difference]) => {
      const bytes = sdk.encode(kind, value);
      bytes[place % bytes.length]! ^= difference;
      const other = decoded(kind, bytes);
      if (other !== undefined) expect(sdk.encode(kind, other.value)).toEqual(bytes);
    }),
    { numRuns: 1_000 },
  );
});

test("whatever bytes come, they are refused or canonical", () => {
  fc.assert(
    fc.property(fc.constantFrom(...KINDS), fc.uint8Array({ maxLength: 64 }), (kind, bytes) => {
      const found = decoded(kind, bytes);
      if (found !== undefined) expect(sdk.encode(kind, found.value)).toEqual(bytes);
    }),
    { numRuns: 2_000 },
  );
});

test("a part of a larger buffer is read as well as one of its own", () => {
  const bytes = sdk.encode(sdk.Message, sdk.cancelOrder({ clientId: new Uint8Array(8).fill(7) }));
  const larger = sdk.concatenate(new Uint8Array(3), bytes, new Uint8Array(5));
  expect(sdk.decode(sdk.Message, larger.subarray(3, 3 + bytes.length))).toEqual(sdk.decode(sdk.Message, bytes));
});

describe("what a maker refuses", () => {
  const recipient = new Uint8Array(32);

  test.each([
    ["a fraction", 1.5],
    ["a number that is not exact", 2 ** 53],
    ["a negative number", -1],
    ["an amount beyond the bound", 2n ** 62n + 1n],
    ["text", "1" as unknown as number],
  ])("%s", (_, amountMicro) => {
    expect(() => sdk.transfer({ recipient, amountMicro })).toThrow(sdk.Malformed);
  });

  test.each([31, 33])("%i bytes for 32", (length) => {
    expect(() => sdk.transfer({ recipient: new Uint8Array(length), amountMicro: 1 })).toThrow(/recipient|length/);
  });

  test.each(["", "123456789012", "12345678901234"])("%j for thirteen digits", (taxId) => {
    const [key, signature, node] = [new Uint8Array(32), new Uint8Array(64), new Uint8Array(8)];
    const who = { member: node, name: "organisation", group: 1, tier: 1, zone: 1 };
    const fields = { ...who, node, documents: [key], stakeMicro: 1 };
    const signed = { nodeKey: key, consensusKey: key, nodeSignature: signature, consensusSignature: signature };
    expect(sdk.apply({ ...fields, ...signed, taxId: "1234567890123" }).kind).toBe("Apply");
    expect(() => sdk.apply({ ...fields, ...signed, taxId })).toThrow(sdk.Malformed);
  });

  test("half a pair of surrogates", () => {
    expect(() => sdk.submitReadings({ chain: "\ud800", readings: [] })).toThrow(sdk.Malformed);
  });
});

test("a maker takes numbers and whole numbers, and keeps a copy of bytes", () => {
  const recipient = new Uint8Array(32);
  const message = sdk.transfer({ recipient, amountMicro: 5 });
  recipient.fill(9);
  expect(message).toEqual({ kind: "Transfer", recipient: new Uint8Array(32), amountMicro: 5n });
});
