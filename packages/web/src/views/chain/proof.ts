/** Checking a receipt in this browser: what was looked at, step by step. */

import { checkReceipt, fromHex, ProofInvalid, type Client, type ReceiptProof } from "@gridtokenx/sdk";

export interface CheckedProof {
  readonly proof: ReceiptProof;
  /** The outcome that the receipt itself tells. */
  readonly code: number;
  /** Of the block that carries the app hash in its header; undefined while there is no next block. */
  readonly nextHeight: number | undefined;
}

/**
 * Fetches the receipt's proof and computes it up to the app hash of its block; that hash is then looked for in the header of
 * the next block. Throws ProofInvalid when anything does not fit.
 */
export async function checkTransaction(market: Client, id: string, signal: AbortSignal): Promise<CheckedProof> {
  const transaction = fromHex(id);
  if (transaction === undefined) throw new ProofInvalid("an id has hexadecimal digits");
  const proof = await market.receiptProof(transaction, { signal });
  const [block, status] = await Promise.all([market.block(proof.height, { signal }), market.status({ signal })]);
  const appHash = fromHex(block.appHash) ?? new Uint8Array(0);
  const receipt = checkReceipt(appHash, transaction, proof);
  if (status.height <= proof.height) return { proof, code: Number(receipt.code), nextHeight: undefined };
  const next = await market.block(proof.height + 1, { signal });
  if (next.appHashBefore !== block.appHash) throw new ProofInvalid("the next block's header names another app hash");
  return { proof, code: Number(receipt.code), nextHeight: next.height };
}
