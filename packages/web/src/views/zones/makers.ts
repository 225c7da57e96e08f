/** How makers of a zone keep what a programme asks. Pure. */

import type { MakerTermsView, Makers, MakerView } from "@gridtokenx/sdk";

export interface ZoneMakers {
  /** Undefined where there never was a programme. */
  readonly terms: MakerTermsView | undefined;
  readonly makers: readonly MakerView[];
}

/** What is known of one zone; undefined where there is neither a programme nor anybody who still has duties by one. */
export function makersOf(all: Makers, zone: number): ZoneMakers | undefined {
  const terms = all.programmes.find((each) => each.zone === zone)?.terms;
  const makers = all.makers.filter((each) => each.zone === zone);
  const isAny = makers.length > 0 || (terms !== undefined && terms.makersMax > 0);
  return isAny ? { terms, makers } : undefined;
}

/** Of intervals with a verdict: those that were kept, and all in which somebody could trade. */
export function scoreOf(maker: Pick<MakerView, "kept" | "missed">): { readonly kept: number; readonly judged: number } {
  return { kept: maker.kept, judged: maker.kept + maker.missed };
}
