/** What the faucet said of one's own home: whose recording its meter replays, and where it is. Kept in this browser. */

import type { FaucetAnswer } from "@gridtokenx/sdk";

import { recall, remember } from "../theme.svelte";

const KEY = "gridtokenx.home";

export interface HomeFacts {
  readonly account: string;
  readonly chain: string;
  readonly feeder: number;
  readonly solarW: number;
  readonly importW: number;
  readonly recordedHome: string;
  readonly daysEarlier: number;
  readonly permille: number;
  readonly hasSolar: boolean;
  readonly firstInterval: number | null;
}

class Home {
  private facts = $state.raw(read());

  /** Of this account; undefined for one that did not come from a faucet, or from another browser. */
  of(account: string | undefined): HomeFacts | undefined {
    return this.facts?.account === account ? this.facts : undefined;
  }

  keep(chain: string, answer: FaucetAnswer): void {
    const { account, feeder, solarW, importW, recording, firstInterval } = answer;
    const { home: recordedHome, daysEarlier, permille, solar: hasSolar } = recording;
    this.facts = { account, chain, feeder, solarW, importW, recordedHome, daysEarlier, permille, hasSolar, firstInterval };
    remember(KEY, JSON.stringify(this.facts));
  }
}

export const home = new Home();

function read(): HomeFacts | undefined {
  try {
    const found = JSON.parse(recall(KEY) ?? "null") as HomeFacts | null;
    const isWhole = found !== null && Number.isSafeInteger(found.feeder) && typeof found.recordedHome === "string";
    return isWhole ? found : undefined;
  } catch {
    return undefined;
  }
}
