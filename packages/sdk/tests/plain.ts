/** What the checks of the golden vectors compare with: plain data, and an error that says what differs. */

import { fromHex, parseJson, toHex } from "../src/index.js";

/** JSON whose shape the checks know. */
export type Plain = any;

const FILES = import.meta.glob<string>("../../../tests/vectors/*.json", {
  query: "?raw",
  import: "default",
  eager: true,
});

/** One of the golden files. */
export function vectors(name: string): Plain {
  const source = FILES[`../../../tests/vectors/${name}.json`];
  if (source === undefined) throw new Error(`there are no vectors ${name}`);
  return parseJson(source) as Plain;
}

/** All that there are, without `.json`. */
export function vectorNames(): string[] {
  return Object.keys(FILES).map((path) => path.replace(/^.*\/|\.json$/g, ""));
}

/** The bytes of a text in hexadecimal. */
export function unhex(text: string): Uint8Array<ArrayBuffer> {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new Error(`not hexadecimal: ${text}`);
  return bytes;
}

/** A record as the vectors spell it: names with underscores, bytes in hexadecimal, and every number as text. */
export function readable(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === "bigint" || typeof value === "number") return `${value}`;
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== "object" || value === null) return value;
  const named = Object.entries(value).filter(([name]) => name !== "kind");
  return Object.fromEntries(
    named.map(([name, field]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), readable(field)]),
  );
}

/** Throws unless both are the same, whatever class and sort of number. */
export function same(found: unknown, expected: unknown, what: string): void {
  const [left, right] = [JSON.stringify(readable(found)), JSON.stringify(readable(expected))];
  if (left !== right) throw new Error(`${what}: ${left} is not ${right}`);
}
