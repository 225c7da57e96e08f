/** Figures of the page about who runs the chain. Shares come in millionths and are never shown better than they are. */

import type { Authorities, MemberView, ProposalView, TermsOfConsortium } from "@gridtokenx/sdk";

import type { Format } from "../../../lib/format";

const MILLION = 1_000_000;
const HOUR_MS = 3_600_000;
export const NINES_MAX = 6;
/** Ticks of the scale of nines, by their value in percent. */
export const NINES = [
  { nines: 0, percent: 0 },
  { nines: 1, percent: 90 },
  { nines: 2, percent: 99 },
  { nines: 3, percent: 99.9 },
  { nines: 4, percent: 99.99 },
  { nines: NINES_MAX, percent: 100 },
] as const;
export const GROUPS = ["grid", "trade", "finance", "regulation", "technology"] as const;
export type Group = (typeof GROUPS)[number];

/** Millionths as a number of percent with so many decimals, rounded down. */
export function percentOf(ppm: number, places = 2): number {
  const steps = 10 ** (4 - places);
  return Math.floor(ppm / steps) / 10 ** places;
}

/** How many nines a share has: 0.9 is one, 0.99 two. A whole is as many as millionths can tell. */
export function ninesOf(ppm: number): number {
  return ppm >= MILLION ? NINES_MAX : -Math.log10((MILLION - ppm) / MILLION);
}

/** The members of each group that has seats or members, in order. */
export function byGroup(view: Authorities): { group: Group; seats: number; taken: number; members: MemberView[] }[] {
  return GROUPS.map((group, place) => {
    const members = view.members.filter((member) => member.group === group);
    return {
      group,
      seats: view.terms?.groupSeats[place] ?? 0,
      taken: members.filter((member) => member.standing === "seated").length,
      members,
    };
  }).filter((each) => each.seats > 0 || each.members.length > 0);
}

export type TermName = keyof TermsOfConsortium;

/** What a proposal would change of the terms, in the units of their names. */
export function changedTerms(
  proposal: ProposalView,
  present: TermsOfConsortium | null,
  f: Format,
): { name: TermName; before: string; after: string }[] {
  const next = proposal.terms;
  if (!next || !present) return [];
  return (Object.keys(next) as TermName[])
    .map((name) => ({ name, before: termText(name, present[name], f), after: termText(name, next[name], f) }))
    .filter(({ before, after }) => before !== after);
}

function termText(name: TermName, value: TermsOfConsortium[TermName], f: Format): string {
  if (typeof value === "object") return value.map((each) => f.whole(each)).join(", ");
  if (name === "stakeMicro") return f.money(value);
  if (name === "appealMs" || name === "voteMs") return f.decimal(Number(value) / HOUR_MS, 1);
  return f.whole(value);
}
