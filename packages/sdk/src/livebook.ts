/** A book that is followed, and proves at each step that nothing was missed. */

import { toHex } from "./bytes.js";
import { hashBytes } from "./crypto.js";
import type { BookEvent, Level } from "./documents.generated.js";
import { BookOutOfStep } from "./errors.js";

/** Depth of one interval, made of a snapshot and the updates after it. */
export class LiveBook {
  /** Whether the gate has closed: no more will come. */
  closed = false;
  private readonly bidLevels = new Map<string, Level>();
  private readonly askLevels = new Map<string, Level>();

  constructor(readonly interval: number) {}

  /** Take in one message. Throws BookOutOfStep: then ask for a snapshot (`Stream.startOver`). */
  apply(event: BookEvent, isSnapshot: boolean): void {
    if (isSnapshot) {
      this.bidLevels.clear();
      this.askLevels.clear();
    }
    take(this.bidLevels, event.bids);
    take(this.askLevels, event.asks);
    this.closed = event.closed;
    if (checksumOf(this.bidLevels.values(), this.askLevels.values()) !== event.checksum) {
      throw new BookOutOfStep(`the book of interval ${this.interval} is out of step`);
    }
  }

  /** Best first. */
  bids(): Level[] {
    return [...this.bidLevels.values()].sort((one, other) => compare(other.priceMicro, one.priceMicro) || rank(one, other));
  }

  /** Best first. */
  asks(): Level[] {
    return [...this.askLevels.values()].sort((one, other) => compare(one.priceMicro, other.priceMicro) || rank(one, other));
  }
}

/**
 * First 16 hexadecimal digits of SHA-256 over one line a level, lines sorted: `side price_micro feeder sources quantity_wh
 * orders scope`, each line ended by a line feed, side `buy` or `sell`.
 */
export function checksumOf(bids: Iterable<Level>, asks: Iterable<Level>): string {
  const lines = [...linesOf("buy", bids), ...linesOf("sell", asks)].sort();
  return toHex(hashBytes(new TextEncoder().encode(lines.join("")))).slice(0, 16);
}

function linesOf(side: string, levels: Iterable<Level>): string[] {
  return [...levels].map(
    (level) => `${side} ${level.priceMicro} ${level.feeder} ${level.sources} ${level.quantityWh} ${level.orders} ${level.scope}\n`,
  );
}

function take(side: Map<string, Level>, levels: readonly Level[]): void {
  for (const level of levels) {
    const key = `${level.priceMicro} ${level.feeder} ${level.sources} ${level.scope}`;
    if (level.quantityWh === 0) side.delete(key);
    else side.set(key, level);
  }
}

function rank(one: Level, other: Level): number {
  return one.feeder - other.feeder || one.sources - other.sources || one.scope - other.scope;
}

function compare(one: bigint, other: bigint): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
