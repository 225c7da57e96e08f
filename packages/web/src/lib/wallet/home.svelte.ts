/** What the faucet said of one's own home: whose recording its meter replays, and where it is. Kept in this browser. */

import type { FaucetAnswer } from "@gridtokenx/sdk";

import { recall, remember } from "../theme.svelte";

const KEY = "gridtokenx.home";

export interface HomeFacts {
  readonly account: string;
  readonly chain: string;
  readonly feeder: number;
  readonly solarW: number;
  readonly recordedHome: string;
  readonly daysEarlier: number;
  readonly permille: number;
  readonly hasSolar: boolean;
  readonly firstInterval: number | null;
}

class Home {
  private facts = $state.raw(read());

  /** Of this account on this chain; undefined for one that did not come from a faucet, or joined in another browser. */
  of(account: string, chain: string | undefined): HomeFacts | undefined {
    return this.facts?.account === account && this.facts.chain === chain ? this.facts : undefined;
  }

  keep(chain: string, answer: FaucetAnswer): void {
    const { account, feeder, solarW, recording, firstInterval } = answer;
    const { home: recordedHome, daysEarlier, permille, solar: hasSolar } = recording;
    this.facts = { account, chain, feeder, solarW, recordedHome, daysEarlier, permille, hasSolar, firstInterval };
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
