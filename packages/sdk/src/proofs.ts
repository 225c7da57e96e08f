/**
 * Believing nobody: what a gateway says, checked against an app hash from elsewhere.
 *
 * An app hash stands in the next block's header and on the screen of any other node. Whoever has one needs to trust
 * neither the gateway nor its node.
 */

import { bytesEqual, concatenate, fromHex, toHex } from "./bytes.js";
import { readProof, verify } from "./commitment.js";
import { BATCH_DOMAIN, HASH_BYTES, hashBytes, merkleVerify, signatureIsValid } from "./crypto.js";
import type { MerkleStep } from "./crypto.js";
import { decode } from "./decoder.js";
import type { AcceptanceView, PathStep, ReceiptProof, RecordProof, StateClaim } from "./documents.generated.js";
import { Malformed, ProofInvalid } from "./errors.js";
import { BatchHeader, LAST_BLOCK, LastBlock, Receipt } from "./records.generated.js";
import { stateKey } from "./tables.js";

const PATH_STEPS_MAX = 64;

/** The receipt that the block with this app hash gave the transaction. Throws ProofInvalid. */
export function checkReceipt(appHash: Uint8Array, transactionId: Uint8Array, proof: ReceiptProof): Receipt {
  const leaf = hexBytes(proof.receipt);
  const batchRoot = hexBytes(proof.batchRoot);
  const block = checkedValue(appHash, stateKey(LAST_BLOCK, new Uint8Array(0)), proof.claim) ?? new Uint8Array(0);
  let receipt: Receipt;
  let lastBlock: LastBlock;
  try {
    receipt = decode(Receipt, leaf);
    lastBlock = decode(LastBlock, block);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new ProofInvalid(`a record in it is none: ${error.detail}`, { cause: error });
  }
  const inBatch = merkleVerify(batchRoot, leaf, pathOf(proof.batchPath));
  const inBlock = merkleVerify(lastBlock.receiptsRoot, batchRoot, pathOf(proof.blockPath));
  if (!inBatch || !inBlock) {
    throw new ProofInvalid("the path does not lead from the receipt to the root in the block's record");
  }
  if (!bytesEqual(receipt.transaction, transactionId) || lastBlock.height !== BigInt(proof.height)) {
    throw new ProofInvalid("it is about another transaction or another block");
  }
  return receipt;
}

/**
 * The header of the batch in which the node with this key promises to have taken in exactly these bytes: it names chain,
 * author and until when the batch can be in a block. Throws ProofInvalid.
 */
export function checkAcceptance(
  publicKey: Uint8Array,
  transaction: Uint8Array,
  acceptance: AcceptanceView,
): BatchHeader {
  const encoded = hexBytes(acceptance.header);
  let header: BatchHeader;
  try {
    header = decode(BatchHeader, encoded);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    throw new ProofInvalid(`it has no header: ${error.detail}`, { cause: error });
  }
  const signed = concatenate(BATCH_DOMAIN, hashBytes(encoded));
  const inBatch = merkleVerify(header.root, transaction, pathOf(acceptance.path));
  if (!inBatch || !signatureIsValid(hexBytes(acceptance.signature), signed, publicKey)) {
    throw new ProofInvalid("the node with this key did not sign a batch with this transaction");
  }
  return header;
}

/**
 * The encoded record that the state with this app hash holds under the key (`stateKey`); null if there is none. Throws
 * ProofInvalid. `readRecord` reads the value.
 */
export function checkRecord(appHash: Uint8Array, key: Uint8Array, proof: RecordProof): Uint8Array | null {
  return checkedValue(appHash, key, proof.claim);
}

function checkedValue(appHash: Uint8Array, key: Uint8Array, claim: StateClaim): Uint8Array | null {
  if (claim.root !== toHex(appHash) || claim.key !== toHex(key)) {
    throw new ProofInvalid("it is about another state or another record");
  }
  const value = claim.value === null ? null : hexBytes(claim.value);
  const proof = readProof(claim.proof);
  if (proof === undefined) throw new ProofInvalid("a proof has items and a path of bounded length, in hexadecimal");
  if (!verify(appHash, key, value, proof)) {
    throw new ProofInvalid("the path does not lead from the record to the app hash");
  }
  return value;
}

function pathOf(steps: readonly PathStep[]): MerkleStep[] {
  if (steps.length > PATH_STEPS_MAX) throw new ProofInvalid(`a path has at most ${PATH_STEPS_MAX} steps`);
  const path = steps.map((step) => ({ right: step.right, hash: hexBytes(step.hash) }));
  if (path.some((step) => step.hash.length !== HASH_BYTES)) throw new ProofInvalid(`a hash has ${HASH_BYTES} bytes`);
  return path;
}

function hexBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new ProofInvalid("not lower-case hexadecimal");
  return bytes;
}
