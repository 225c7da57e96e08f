/** What the ledger's and the gateway's codes mean, in the page's language; asked for once. */

import type { CodeLine } from "@gridtokenx/sdk";

import { i18n } from "./i18n/index.svelte";
import { market } from "./market";

class Codes {
  private lines = $state.raw<ReadonlyMap<number, CodeLine>>(new Map());
  private asked = false;

  /** What happened and what to do; empty until it is known. */
  sentence(code: number): string {
    return this.lines.get(code)?.[i18n.language] ?? "";
  }

  name(code: number): string {
    return this.lines.get(code)?.name ?? String(code);
  }

  /** To be called by views that show codes. */
  async read(): Promise<void> {
    if (this.asked) return;
    this.asked = true;
    try {
      this.lines = new Map((await market.codes()).codes.map((line) => [line.code, line]));
    } catch {
      // Numbers and names stand without sentences; the next view asks again.
      this.asked = false;
    }
  }
}

export const codes = new Codes();
