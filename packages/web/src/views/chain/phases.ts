/** Where a block's time goes, read from the node's metrics. Pure. */

export interface PhaseTotal {
  readonly seconds: number;
  readonly count: number;
}

export type Totals = ReadonlyMap<string, PhaseTotal>;

export interface PhaseMean {
  readonly name: string;
  readonly milliseconds: number;
}

const LINE = /^gridtokenx_block_phase_seconds_(sum|count)\{phase="([^"]+)"\} (\S+)$/gm;

/** Mean time of each phase in the blocks since the totals before (none: since the node started), longest first. */
export function meansSince(before: Totals, metrics: string): { readonly means: PhaseMean[]; readonly totals: Totals } {
  const totals = new Map<string, PhaseTotal>();
  for (const [, kind, name, value] of metrics.matchAll(LINE)) {
    const known = totals.get(name!) ?? { seconds: 0, count: 0 };
    totals.set(name!, kind === "sum" ? { ...known, seconds: Number(value) } : { ...known, count: Number(value) });
  }
  const means: PhaseMean[] = [];
  for (const [name, total] of totals) {
    const old = before.get(name);
    // A count that fell is that of a node that was started again.
    const since = old && old.count < total.count ? old : { seconds: 0, count: 0 };
    if (total.count > since.count) {
      means.push({ name, milliseconds: ((total.seconds - since.seconds) * 1000) / (total.count - since.count) });
    }
  }
  return { means: means.sort((one, other) => other.milliseconds - one.milliseconds), totals };
}
