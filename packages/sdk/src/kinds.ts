/**
 * Shapes of values on the ledger's wire: what `codec.ts` encodes and decodes by.
 *
 * Integers whose bound a `number` holds exactly are numbers; all others are `bigint`.
 */

/** A whole number that may need more than 53 bits: a `bigint`. */
export interface WholeKind {
  readonly is: "whole";
  readonly least: bigint;
  readonly most: bigint;
}

/** A whole number that a `number` holds exactly. */
export interface NumberKind {
  readonly is: "number";
  readonly least: number;
  readonly most: number;
}

/** Bytes, with the least and greatest length. */
export interface BytesKind {
  readonly is: "bytes";
  readonly least: number;
  readonly most: number;
}

/** Text, with the least and greatest number of characters (code points). */
export interface TextKind {
  readonly is: "text";
  readonly least: number;
  readonly most: number;
}

/** True or false. */
export interface FlagKind {
  readonly is: "flag";
}

/** Any number of one kind, within bounds. */
export interface ListKind {
  readonly is: "list";
  readonly of: Kind;
  readonly least: number;
  readonly most: number;
}

/** A fixed number of values, each of its own kind. */
export interface TupleKind {
  readonly is: "tuple";
  readonly of: readonly Kind[];
}

/** An array of fields in this order. `tag` is a message's first item; its values carry `kind`, the record's name. */
export interface RecordKind<T = unknown> {
  readonly is: "record";
  readonly name: string;
  readonly tag?: number;
  readonly fields: Readonly<Record<string, Kind>>;
  /** Never there: lets the compiler know what such a record looks like. */
  readonly value?: T;
}

/** One of several tagged records. */
export interface UnionKind<T = unknown> {
  readonly is: "union";
  readonly of: readonly RecordKind[];
  /** Never there: as for a record. */
  readonly value?: T;
}

export type Kind =
  | WholeKind
  | NumberKind
  | BytesKind
  | TextKind
  | FlagKind
  | ListKind
  | TupleKind
  | RecordKind
  | UnionKind;

/** What one may give where a `T` is encoded: numbers also for whole numbers. */
export type Given<T> = T extends bigint
  ? bigint | number
  : T extends Uint8Array | string | boolean | number
    ? T
    : T extends readonly unknown[]
      ? { readonly [K in keyof T]: Given<T[K]> }
      : { readonly [K in keyof T]: Given<T[K]> };

/** The fields of a message, as its maker takes them. */
export type Fields<T> = Given<Omit<T, "kind">>;

const LENGTH_MAX = 2 ** 32 - 1;

export const FLAG: FlagKind = { is: "flag" };

export function whole(most: bigint = 2n ** 63n - 1n, least = 0n): WholeKind {
  return { is: "whole", least, most };
}

export function number(most: number): NumberKind {
  return { is: "number", least: 0, most };
}

export function bytes(least = 0, most: number = least || LENGTH_MAX): BytesKind {
  return { is: "bytes", least, most };
}

export function text(least = 0, most: number = LENGTH_MAX): TextKind {
  return { is: "text", least, most };
}

export function list(of: Kind, least = 0, most: number = LENGTH_MAX): ListKind {
  return { is: "list", of, least, most };
}

export function tuple(...of: Kind[]): TupleKind {
  return { is: "tuple", of };
}

export function record<T>(name: string, fields: Record<string, Kind>, tag?: number): RecordKind<T> {
  return tag === undefined ? { is: "record", name, fields } : { is: "record", name, fields, tag };
}
