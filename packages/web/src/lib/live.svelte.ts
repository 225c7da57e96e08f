/**
 * The market as it is now: one stream for the whole page. What comes is collected and shown once a frame, and every list
 * is bounded, so that a burst of trades never costs a keystroke.
 */

import type { BlockLine, Heard, IntervalView, StatusView, Stream, TradeView } from "@gridtokenx/sdk";
import { ApiError } from "@gridtokenx/sdk";

import { ChainClock } from "./clock";
import { INTERVAL_MS } from "./format";
import { market } from "./market";

const TRADES_KEPT = 200;
const BLOCKS_KEPT = 100;
const BLOCKS_ASKED = 50;
const REFRESH_MS = 3_000;
const CLOCK_MS = 250;
/** A day of quarters behind the present one. */
const INTERVALS_BEHIND = 97;
/** More than can be open or not final at once. */
const INTERVALS_MAX = 1_000;
/** Those whose best prices change: the soonest. */
const INTERVALS_REFRESHED = 40;
/** A stream that broke a moment ago is no news yet. */
const GRACE_MS = 1_200;
const START_PAUSE_MS = 2_000;
/** A node makes a block each second or faster, whether or not anything happens. */
const STALLED_MS = 12_000;

type Follower = (heard: Heard) => void;

class Live {
  status = $state.raw<StatusView>();
  intervals = $state.raw<ReadonlyMap<number, IntervalView>>(new Map());
  /** Newest first. */
  trades = $state.raw<readonly TradeView[]>([]);
  /** Whether the last trades have been told: an empty list means none, from then on. */
  tradesKnown = $state(false);
  /** Newest first. */
  blocks = $state.raw<readonly BlockLine[]>([]);
  /** Chain time, moving between blocks. */
  nowMs = $state(0);
  /** Chain seconds in one second. */
  speed = $state(1);
  /** `lost`: what is shown may be old, and the page tries again by itself. */
  connection = $state<"connecting" | "live" | "lost">("connecting");
  /** Nothing is lost, but no block comes: the node stands still. */
  stalled = $state(false);
  /** Why the last question about the market was not answered. */
  problem = $state.raw<unknown>();

  private readonly clock = new ChainClock();
  private stream: Stream | undefined;
  private readonly followers = new Map<string, Set<Follower>>();
  private waiting: Heard[] = [];
  private frame = 0;
  private refreshing = false;
  private lostTimer: ReturnType<typeof setTimeout> | undefined;

  /** The interval in delivery by chain time. */
  get current(): number {
    return Math.floor(this.nowMs / INTERVAL_MS);
  }

  /** Begin to listen; called once. */
  start(): void {
    void this.listen();
    setInterval(() => this.tick(), CLOCK_MS);
    setInterval(() => void this.refresh(), REFRESH_MS);
    addEventListener("visibilitychange", () => void this.refresh());
    void this.refresh(true);
  }

  /** Hear one more topic for as long as somebody does; the answer ends it. */
  follow(topic: string, follower: Follower): () => void {
    const followers = this.followers.get(topic) ?? new Set();
    this.followers.set(topic, followers);
    followers.add(follower);
    this.stream?.subscribe(topic);
    return () => {
      followers.delete(follower);
      if (followers.size > 0) return;
      this.followers.delete(topic);
      this.stream?.unsubscribe(topic);
    };
  }

  /** Ask for what the stream does not tell: intervals with their best prices, and the status. */
  async refresh(all = false): Promise<void> {
    if (this.refreshing || (document.hidden && !all)) return;
    this.refreshing = true;
    try {
      const whole = all || this.intervals.size === 0;
      const soonest = { start: this.current - 2, limit: INTERVALS_REFRESHED };
      const [status, page] = await Promise.all([
        market.status(),
        market.intervals(whole ? { limit: INTERVALS_MAX } : soonest),
      ]);
      this.clock.observe(status.timeMs, performance.now(), false);
      this.tick();
      this.status = status;
      const merged = new Map(this.intervals);
      for (const interval of page.intervals) merged.set(interval.interval, interval);
      for (const known of merged.keys()) if (known < status.interval - INTERVALS_BEHIND) merged.delete(known);
      this.intervals = merged;
      this.problem = undefined;
    } catch (error) {
      this.problem = error;
    } finally {
      this.refreshing = false;
    }
  }

  /** The stream tells of new blocks only: whoever shows blocks asks for those before. */
  async readBlocks(): Promise<void> {
    if (this.blocks.length > BLOCKS_ASKED) return;
    try {
      this.addBlocks((await market.blocks()).blocks);
    } catch (error) {
      this.problem = error;
    }
  }

  /** For ever: a stream mends itself, except before its first connection and when a topic is refused. */
  private async listen(): Promise<void> {
    this.stream = market.stream(["blocks", "trades", ...this.followers.keys()], undefined, {
      onState: (state) => this.streamState(state === "open"),
    });
    for (;;) {
      try {
        for await (const heard of this.stream) this.hear(heard);
        return;
      } catch (error) {
        // A refused topic is one book that has just closed; the stream goes on with the others.
        if (error instanceof ApiError) continue;
        this.streamState(false);
        await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS));
      }
    }
  }

  private hear(heard: Heard): void {
    if (heard.topic === "blocks" && heard.event) {
      this.clock.observe(heard.event.timeMs, performance.now(), !heard.isSnapshot);
    }
    this.waiting.push(heard);
    // Nobody looks at a hidden page, and its frames do not come: what is too old to be shown is forgotten.
    if (document.hidden && this.waiting.length > TRADES_KEPT) this.waiting.splice(0, this.waiting.length - TRADES_KEPT);
    this.frame ||= requestAnimationFrame(() => this.show());
  }

  private show(): void {
    this.frame = 0;
    const waiting = this.waiting;
    this.waiting = [];
    const blocks: BlockLine[] = [];
    const trades: TradeView[] = [];
    for (const heard of waiting) {
      if (heard.topic === "blocks" && heard.event) blocks.push(heard.event);
      if (heard.topic === "trades") {
        // A snapshot begins anew: it tells of trades that this frame may have brought already.
        if (heard.isSnapshot) trades.length = 0;
        trades.push(...heard.event.trades);
        this.tradesKnown = true;
      }
      for (const follower of this.followers.get(heard.topic) ?? []) follower(heard);
    }
    if (blocks.length > 0) this.addBlocks(blocks);
    if (trades.length > 0) this.addTrades(trades);
  }

  private addBlocks(blocks: readonly BlockLine[]): void {
    const byHeight = new Map([...this.blocks, ...blocks].map((block) => [block.height, block]));
    this.blocks = [...byHeight.values()].sort((one, other) => other.height - one.height).slice(0, BLOCKS_KEPT);
    const newest = this.blocks[0];
    if (newest && this.status && newest.height > this.status.height) {
      this.status = { ...this.status, height: newest.height, timeMs: newest.timeMs, appHash: newest.appHash };
    }
  }

  private addTrades(trades: readonly TradeView[]): void {
    const newest = this.trades[0]?.sequence ?? -1;
    const fresh = trades.filter((trade) => trade.sequence > newest);
    if (fresh.length === 0) return;
    this.trades = [...fresh.toReversed(), ...this.trades].slice(0, TRADES_KEPT);
  }

  private tick(): void {
    this.nowMs = this.clock.now(performance.now());
    this.speed = this.clock.speed;
    this.stalled = this.connection === "live" && this.clock.quietMs(performance.now()) > STALLED_MS;
  }

  private streamState(open: boolean): void {
    clearTimeout(this.lostTimer);
    if (open) {
      if (this.connection === "lost") void this.refresh(true);
      this.connection = "live";
    } else {
      this.lostTimer = setTimeout(() => (this.connection = "lost"), GRACE_MS);
    }
  }
}

export const live = new Live();
