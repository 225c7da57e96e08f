/**
 * JSON of the API to typed values, checked.
 *
 * Integers: a name that ends in `Micro` is money or a price and is a `bigint`; every other integer is a `number`. One that
 * a number cannot hold exactly is refused, never rounded. Fields that are not known are ignored: answers grow over time.
 */

import { AnswerNotUnderstood } from "./errors.js";

/** Takes a parsed value apart. Throws AnswerNotUnderstood, naming the place, for anything else than a `T`. */
export type Reader<T> = (value: unknown, path: string) => T;

/** The document in this text. Throws AnswerNotUnderstood. */
export function readJson<T>(reader: Reader<T>, source: string): T {
  return reader(parseJson(source), "");
}

/** The text of a request: names as the API spells them, without what is undefined. */
export function writeJson(request: object): string {
  return JSON.stringify(spelled(request));
}

const LONG_NUMBER = /[0-9]{16}/;

/** As `JSON.parse`, but integers beyond the exact range of numbers become `bigint`. */
export function parseJson(source: string): unknown {
  try {
    return LONG_NUMBER.test(source) ? JSON.parse(source, exact) : JSON.parse(source);
  } catch (cause) {
    throw new AnswerNotUnderstood("no answer of a gateway: this is not JSON", { cause });
  }
}

/** Engines older than 2025 do not give the source of a number: then the rounded one stays, and readers refuse it. */
function exact(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const rounded = typeof value === "number" && !Number.isSafeInteger(value);
  return rounded && context?.source !== undefined && /^-?[0-9]+$/.test(context.source) ? BigInt(context.source) : value;
}

export const text: Reader<string> = (value, path) => {
  if (typeof value !== "string") throw unlike("text", path);
  return value;
};

export const flag: Reader<boolean> = (value, path) => {
  if (typeof value !== "boolean") throw unlike("true or false", path);
  return value;
};

export const integer: Reader<number> = (value, path) => {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw unlike("an integer of at most 53 bits", path);
  return value;
};

export const money: Reader<bigint> = (value, path) => {
  if (typeof value === "bigint") return value;
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw unlike("an integer", path);
  return BigInt(value);
};

export const anything: Reader<unknown> = (value) => value;

export function listOf<T>(reader: Reader<T>): Reader<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw unlike("an array", path);
    return value.map((item: unknown, place) => reader(item, `${path}[${place}]`));
  };
}

export function tupleOf<A, B>(first: Reader<A>, second: Reader<B>): Reader<readonly [A, B]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length !== 2) throw unlike("a pair", path);
    return [first(value[0], `${path}[0]`), second(value[1], `${path}[1]`)];
  };
}

export function orNull<T>(reader: Reader<T>): Reader<T | null> {
  return (value, path) => (value === null ? null : reader(value, path));
}

/** What stands for a field that is missing. */
export function optional<T>(reader: Reader<T>, missing: T): Reader<T> {
  return (value, path) => (value === undefined ? missing : reader(value, path));
}

export function document<T>(fields: { readonly [K in keyof T]: Reader<T[K]> }): Reader<T> {
  const entries = Object.entries<Reader<unknown>>(fields).map(([name, reader]) => [name, spelling(name), reader] as const);
  return (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw unlike("an object", path);
    const found: Record<string, unknown> = {};
    for (const [name, spelled, reader] of entries) {
      const given = Object.hasOwn(value, spelled) ? (value as Record<string, unknown>)[spelled] : undefined;
      found[name] = reader(given, path ? `${path}.${spelled}` : spelled);
    }
    return found as T;
  };
}

/** `priceMicro` → `price_micro`. */
function spelling(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function spelled(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(spelled);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [spelling(name), spelled(field)]));
}

function unlike(expected: string, path: string): AnswerNotUnderstood {
  return new AnswerNotUnderstood(`no answer of a gateway: ${path || "it"} should be ${expected}`, { field: path });
}
