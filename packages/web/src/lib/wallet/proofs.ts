/**
 * Checking in this page what the gateway says of one's own: the way from a record to an app hash, and that the next block's
 * header carries the same app hash. Whoever compares that hash with another node's trusts no gateway at all.
 */

import { checkRecord, fromHex, NotFound, positionKey, ProofInvalid, Quality, readRecord, stateKey, STATEMENTS } from "@gridtokenx/sdk";
import type { BlockView, Statement, StatementView } from "@gridtokenx/sdk";

import { market } from "../market";
import type { Session } from "./own.svelte";

/** What was found. `header`: the next block, whose header carries the app hash; undefined while there is none. */
export interface Checked {
  readonly height: number;
  readonly appHash: string;
  readonly header: number | undefined;
  /** Of a record: how many levels of the tree lie between it and the app hash. */
  readonly levels?: number;
}

const NEXT_TRIES = 8;
const NEXT_PAUSE_MS = 500;

/**
 * That the state holds this very statement, number by number. Undefined when the state no longer keeps it, which is
 * proved, too. Throws ProofInvalid.
 */
export async function checkStatement(session: Session, shown: StatementView): Promise<Checked | undefined> {
  const portfolio = bytesOf(shown.portfolio);
  const { interval } = shown;
  const proof = await session.client.recordProof(session.wallet, { record: "statement", interval, portfolio });
  const appHash = proof.claim.root;
  const value = checkRecord(bytesOf(appHash), stateKey(STATEMENTS, positionKey(interval, portfolio)), proof);
  if (value === null) return undefined;
  const different = differenceOf(readRecord(STATEMENTS, value), shown);
  if (different !== undefined) throw new ProofInvalid("the state says something else", { field: different });
  const header = await headerAfter(proof.height, appHash);
  return { height: proof.height, appHash, header, levels: proof.claim.proof.path.length };
}

/** The first number in which a statement of the state is not the one that is shown. */
export function differenceOf(held: Statement, shown: StatementView): string | undefined {
  const names = [
    ...(["importWh", "exportWh", "soldWh", "boughtWh", "undeliveredWh", "unusedWh", "otherImportWh", "otherExportWh"] as const),
    ...(["purchaseCostMicro", "saleProceedsMicro", "chargeMicro", "creditMicro", "splitChargeMicro", "splitCreditMicro"] as const),
  ];
  const different = names.find((name) => held[name] !== BigInt(shown[name]));
  if (different) return different;
  const quality = Object.entries(Quality).find(([, number]) => number === held.quality)?.[0].toLowerCase();
  return quality === shown.quality ? undefined : "quality";
}

/** Throws ProofInvalid when the next header says another app hash. */
async function headerAfter(height: number, appHash: string): Promise<number | undefined> {
  for (let attempt = 0; attempt < NEXT_TRIES; attempt += 1) {
    if ((await market.status()).height > height) {
      const next = await nextBlock(height);
      if (next && next.appHashBefore !== appHash) {
        throw new ProofInvalid("the next block's header carries another app hash");
      }
      if (next) return height + 1;
    }
    await new Promise((resolve) => setTimeout(resolve, NEXT_PAUSE_MS));
  }
  return undefined;
}

/** Undefined while the gateway knows of it and cannot show it yet. */
async function nextBlock(height: number): Promise<BlockView | undefined> {
  try {
    return await market.block(height + 1);
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
}

function bytesOf(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new ProofInvalid("not hexadecimal");
  return bytes;
}
