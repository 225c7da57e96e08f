/** Values of a kind, for properties. */

import fc from "fast-check";

import type { Kind, RecordKind } from "../src/kinds.js";

const LONG = 40;

/** Any value that the kind takes, with lengths that stay small. */
export function valueOf(kind: Kind): fc.Arbitrary<unknown> {
  switch (kind.is) {
    case "whole":
      return fc.bigInt({ min: kind.least, max: kind.most });
    case "number":
      return fc.integer({ min: kind.least, max: kind.most });
    case "flag":
      return fc.boolean();
    case "bytes":
      return fc.uint8Array({ minLength: kind.least, maxLength: Math.max(kind.least, Math.min(kind.most, 300)) });
    case "text":
      return fc.string({ unit: "binary", minLength: kind.least, maxLength: Math.min(kind.most, LONG) });
    case "list":
      return fc.array(valueOf(kind.of), { minLength: kind.least, maxLength: Math.min(kind.most, LONG) });
    case "tuple":
      return fc.tuple(...kind.of.map(valueOf));
    case "record":
      return recordOf(kind);
    case "union":
      return fc.oneof(...kind.of.map(recordOf));
  }
}

function recordOf(kind: RecordKind): fc.Arbitrary<unknown> {
  const fields = fc.record(Object.fromEntries(Object.entries(kind.fields).map(([name, field]) => [name, valueOf(field)])));
  return kind.tag === undefined ? fields : fields.map((value) => ({ kind: kind.name, ...value }));
}
