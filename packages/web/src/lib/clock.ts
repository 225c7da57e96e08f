/**
 * Chain time between two blocks. The chain may run faster than real time (a scenario at 60 times, say), and nobody asks
 * this machine's clock what time it is: speed is measured from the blocks that came.
 */

const WINDOW_MS = 30_000;
const SPAN_MS_MIN = 1_500;
const AHEAD_MS_MAX = 5_000;

interface Sample {
  readonly wallMs: number;
  readonly chainMs: number;
}

export class ChainClock {
  private samples: Sample[] = [];
  private last: Sample | undefined;
  private shownMs = 0;
  private measured = 1;

  /**
   * The chain stood at this time at this moment of a local, monotonic clock. `arrived`: with a block that has just been
   * made; else it was asked for, and may be some time ago: that says nothing about speed.
   */
  observe(chainMs: number, wallMs: number, arrived: boolean): void {
    if (this.last && chainMs <= this.last.chainMs) return;
    this.last = { wallMs, chainMs };
    if (!arrived) return;
    const before = this.samples.at(-1);
    if (before && wallMs - before.wallMs > WINDOW_MS) this.samples = [];
    this.samples.push({ wallMs, chainMs });
    this.samples = this.samples.filter((sample) => wallMs - sample.wallMs <= WINDOW_MS);
    const first = this.samples[0]!;
    const spanMs = wallMs - first.wallMs;
    if (spanMs >= SPAN_MS_MIN) this.measured = (chainMs - first.chainMs) / spanMs;
  }

  /** Chain seconds in one second; 1 until enough blocks came. */
  get speed(): number {
    return this.measured < 1.5 ? 1 : this.measured;
  }

  /**
   * Chain time at this moment, or 0 before the first block. Never goes back, and never runs further ahead of the last
   * block than five seconds of the measured speed when the chain is faster than real time: then it stands, as the
   * chain seems to.
   */
  now(wallMs: number): number {
    if (!this.last) return 0;
    const sinceMs = Math.max(0, wallMs - this.last.wallMs);
    const aheadMs = this.speed > 1 ? Math.min(sinceMs, AHEAD_MS_MAX) : sinceMs;
    const estimateMs = Math.floor(this.last.chainMs + aheadMs * this.speed);
    this.shownMs = Math.max(this.shownMs, estimateMs);
    return this.shownMs;
  }

  /** How long ago, by the local clock, chain time was heard to move. */
  quietMs(wallMs: number): number {
    return this.last ? wallMs - this.last.wallMs : 0;
  }
}
