/**
 * What the golden vectors say, checked: without a test framework, so that Node and browsers run the very same checks.
 * Each throws an Error when something does not hold.
 */

import * as sdk from "../src/index.js";
import type { RecordKind } from "../src/kinds.js";
import type { Table } from "../src/tables.js";
import { commitmentRoot } from "./commitment_root.js";
import { same, unhex, vectors } from "./plain.js";
import type { Plain } from "./plain.js";

/** Checks by the name of their file. */
export const CHECKS: Readonly<Record<string, () => void>> = {
  accounts: () => {
    for (const each of vectors("accounts")) {
      same(new sdk.KeyList(each["keys"].map(unhex), each["threshold"]).hash(), each["account"], "account");
    }
  },
  batches: () => {
    for (const each of vectors("batches")) checkBatch(each);
  },
  blocks: () => {
    for (const each of vectors("blocks")["blocks"]) checkBlock(each);
  },
  books: checkBooks,
  challenges: checkChallenges,
  codes: () => {
    for (const [number, name] of Object.entries(vectors("codes"))) same(sdk.codeName(Number(number)), name, number);
  },
  commitment: checkCommitment,
  costs: checkCosts,
  encodings: checkEncodings,
  keys: checkKeys,
  merkle_lists: checkMerkleLists,
  messages: checkMessages,
  proofs: checkProofs,
  readings: checkReadings,
  signatures: () => {
    for (const each of vectors("signatures")) {
      const [signature, data, key] = [unhex(each["signature"]), unhex(each["data"]), unhex(each["public_key"])];
      same(sdk.signatureIsValid(signature, data, key), each["valid"], each["name"]);
    }
  },
  transactions: () => {
    for (const each of vectors("transactions")["cases"]) checkTransaction(each);
  },
};

const TABLES: ReadonlyMap<number, Table<unknown>> = new Map(
  (Object.values(sdk) as unknown[])
    .filter((each): each is Table<unknown> => typeof each === "object" && each !== null && "prefix" in each)
    .map((table) => [table.prefix, table]),
);

/** Bytes → record → readable and back to the same bytes. */
function roundTrip<T>(kind: RecordKind<T>, bytes: Uint8Array, expected: unknown, what: string): T {
  const value = sdk.decode(kind, bytes);
  same(value, expected, what);
  same(sdk.encode(kind, value as never), bytes, `${what}, encoded again`);
  return value;
}

function checkBatch(each: Plain): void {
  const wire = unhex(each["bytes"]);
  const batch = sdk.decode(sdk.Batch, wire);
  const expected = Object.fromEntries(
    ["chain", "author", "sequence", "expires_ms", "root"].map((name) => [name, each[name]]),
  );
  roundTrip(sdk.BatchHeader, batch.header, expected, "batch header");
  const id = sdk.hashBytes(batch.header);
  const signed = sdk.concatenate(sdk.BATCH_DOMAIN, id);
  same(signed, each["signed"], "what a node signs");
  same(batch.signature, each["signature"], "signature");
  same(id, each["id"], "id");
  same(sdk.merkleRoot([...batch.transactions]), each["root"], "root over the transactions");
  checkAcceptances(each, batch.transactions.at(-1)!);
}

/** The node's promise for the last transaction of the batch, and what is none. */
function checkAcceptances(each: Plain, transaction: Uint8Array): void {
  const path = each["path_of_last"].map(([right, hash]: [boolean, string]) => ({ right, hash }));
  const good = { header: each["header"], signature: each["signature"], path };
  const key = unhex(each["public_key"]);
  same(sdk.checkAcceptance(key, transaction, good).sequence, BigInt(each["sequence"]), "acceptance");
  const wrong: [string, Uint8Array, Uint8Array, sdk.AcceptanceView][] = [
    ["another key", new Uint8Array(32), transaction, good],
    ["another transaction", key, unhex(each["header"]), good],
    ["another header", key, transaction, { ...good, header: "00" }],
    ["no signature", key, transaction, { ...good, signature: "" }],
    ["a longer path", key, transaction, { ...good, path: [...path, { right: true, hash: "00".repeat(32) }] }],
  ];
  for (const [name, publicKey, bytes, acceptance] of wrong) {
    let said = "it is right";
    try {
      sdk.checkAcceptance(publicKey, bytes, acceptance);
    } catch (error) {
      said = (error as Error).name;
    }
    same(said, "ProofInvalid", `acceptance: ${name}`);
  }
}

function checkBlock(each: Plain): void {
  const header = sdk.encode(sdk.Header, camelFields(each["header"]) as never);
  same(sdk.hashBytes(sdk.BLOCK_DOMAIN, header), each["header_hash"], "header hash");
  same(sdk.merkleRoot(each["batches"].map(unhex)), each["header"]["batches_root"], "batches root");
  const misbehaviour = each["misbehaviour"].map((item: Plain) => sdk.encode(sdk.Misbehaviour, camelFields(item) as never));
  same(sdk.merkleRoot(misbehaviour), each["header"]["misbehaviour_root"], "misbehaviour root");
  const commit = each["last_commit"] as Plain | null;
  const carried = commit && { round: commit["round"], absent: commit["absent"].map(unhex) };
  const commitHash = carried ? sdk.hashBytes(sdk.encode(sdk.LastCommit, carried as never)) : new Uint8Array(32);
  same(commitHash, each["header"]["commit_hash"], "commit hash");
  const roots = each["receipts"].map((receipts: string[]) => sdk.merkleRoot(receipts.map(unhex)));
  same(sdk.merkleRoot(roots), each["receipts_root"], "receipts root");
  same(sdk.merkleRoot(each["trades"].map(unhex)), each["trades_root"], "trades root");
  for (const receipt of each["receipts"].flat()) sdk.decode(sdk.Receipt, unhex(receipt));
  for (const trade of each["trades"]) {
    const bytes = unhex(trade);
    same(sdk.encode(sdk.Trade, sdk.decode(sdk.Trade, bytes)), bytes, "trade");
  }
}

function camelFields(fields: Plain): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      typeof value === "string" && name !== "chain" ? unhex(value) : value,
    ]),
  );
}

function checkBooks(): void {
  const book = new sdk.LiveBook(7);
  for (const step of vectors("books")) {
    const event = sdk.readJson(sdk.BookEvent, JSON.stringify({ interval: 7, ...step }));
    book.apply(event, step["is_snapshot"]);
    let caught: unknown;
    try {
      new sdk.LiveBook(7).apply({ ...event, checksum: "0".repeat(16) }, true);
    } catch (error) {
      caught = error;
    }
    same(caught instanceof sdk.BookOutOfStep, true, "a wrong checksum is noticed");
  }
}

function checkChallenges(): void {
  for (const each of vectors("challenges")) {
    const wire = unhex(each["bytes"]);
    roundTrip(sdk.Challenge, wire, each["challenge"], "challenge");
    const signers: sdk.PrivateKey[] = each["secrets"].map((secret: string) => new sdk.PrivateKey(unhex(secret)));
    const keys = sdk.KeyList.of(signers.map((signer) => signer.publicKey), each["auth"]["threshold"]);
    same(new sdk.Wallet(signers, { keys }).signChallenge(wire), each["auth"], "signatures of a challenge");
  }
}

function checkCommitment(): void {
  for (const each of vectors("commitment")) {
    const isHashed = each["name"].startsWith("hashed");
    const held = new Map<string, string>(each["records"]);
    same(commitmentRoot(held, isHashed), each["root_before"], `root before: ${each["name"]}`);
    for (const [key, value] of each["changes"]) {
      if (value === null) held.delete(key);
      else held.set(key, value);
    }
    same(commitmentRoot(held, isHashed), each["root_after"], `root after: ${each["name"]}`);
    for (const shown of each["proofs"]) checkStateProof(each["root_after"], shown, true);
  }
}

function checkStateProof(root: string, shown: Plain, expected: boolean): void {
  const proof = sdk.readProof(shown["proof"]);
  const value = shown["value"];
  const holds = proof !== undefined && sdk.verify(unhex(root), unhex(shown["key"]), value === null ? null : unhex(value), proof);
  same(holds, expected, `proof of ${shown["name"] ?? shown["key"]}`);
  if (!expected || proof === undefined) return;
  const other = value === null ? new Uint8Array(1) : null;
  same(sdk.verify(unhex(root), unhex(shown["key"]), other, proof), false, "the proof shows nothing else");
  same(sdk.verify(new Uint8Array(32).fill(1), unhex(shown["key"]), null, proof), false, "under another root");
}

function checkCosts(): void {
  const { terms: spelled, tariff_micro: tariff, cases } = vectors("costs");
  const terms = camelFields(spelled) as unknown as sdk.FeeTerms;
  for (const each of cases) {
    const [price, energy] = [each["price_micro"], each["energy_wh"]];
    const perKwh = sdk.wheelingPerKwhMicro(terms, each["nearness"]);
    same(perKwh, each["wheeling_per_kwh_micro"], "wheeling per kWh");
    same(sdk.buyerHoldMicro(terms, price, energy), each["buyer_hold_micro"], "hold of a buyer");
    same(sdk.sellerHoldMicro(terms, tariff, price, energy), each["seller_hold_micro"], "hold of a seller");
    const cost = sdk.tradeCost(terms, price, energy, perKwh);
    same(cost.valueMicro, each["value_micro"], "value");
    same(cost.tradingFeeMicro, each["trading_fee_micro"], "trading fee");
    same(cost.wheelingMicro, each["wheeling_micro"], "wheeling");
    same(cost.buyerMicro, each["buyer_micro"], "what the buyer pays");
    same(cost.sellerMicro, cost.valueMicro - cost.tradingFeeMicro, "what the seller gets");
  }
}

function checkEncodings(): void {
  const kinds: Record<string, RecordKind<object>> = {
    Body: sdk.Body,
    Envelope: sdk.Envelope,
    Reading: sdk.Reading,
    Receipt: sdk.Receipt,
    LastBlock: sdk.LastBlock,
  };
  for (const each of vectors("encodings")) {
    const bytes = unhex(each["bytes"]);
    const kind = kinds[each["kind"]]!;
    let canonical = true;
    try {
      same(sdk.encode(kind, sdk.decode(kind, bytes)), bytes, each["name"]);
    } catch (error) {
      if (!(error instanceof sdk.Malformed)) throw error;
      canonical = false;
    }
    same(canonical, each["canonical"], each["name"]);
  }
}

function checkKeys(): void {
  for (const each of vectors("keys")) {
    const key = new sdk.PrivateKey(unhex(each["secret"]));
    same(key.publicKey, each["public_key"], "public key");
    same(sdk.phraseOf(key), each["phrase"], "phrase");
    same(sdk.keyFromPhrase(` ${each["phrase"].toUpperCase()} `).secret(), each["secret"], "key of a phrase");
    same(key.sign(unhex(each["data"])), each["signature"], "signature");
  }
}

function checkMerkleLists(): void {
  for (const each of vectors("merkle_lists")) {
    const leaves = each["leaves"].map(unhex);
    same(sdk.merkleRoot(leaves), each["root"], "root");
    const path = each["path_of_last"].map(([right, hash]: [boolean, string]) => ({ right, hash: unhex(hash) }));
    const last = leaves.at(-1);
    if (last === undefined) continue;
    same(sdk.merkleVerify(unhex(each["root"]), last, path), true, "path of the last leaf");
    same(sdk.merkleVerify(unhex(each["root"]), new Uint8Array(1), path), false, "path of another leaf");
  }
}

function checkMessages(): void {
  const makers = sdk as unknown as Record<string, (fields: object) => sdk.Message>;
  const cases = vectors("messages");
  same(cases.length, sdk.Message.of.length, "messages");
  for (const each of cases) {
    const bytes = unhex(each["bytes"]);
    const name = each["message"];
    const message = sdk.decode(sdk.Message, bytes);
    same(message.kind, name, "name");
    same(message, each["fields"], name);
    same(sdk.Message.of.find((kind) => kind.name === name)?.tag, each["tag"], "tag");
    const made = makers[name.charAt(0).toLowerCase() + name.slice(1)]!(message);
    same(sdk.encode(sdk.Message, made), bytes, `${name}, made and encoded`);
  }
}

function checkProofs(): void {
  const { receipts, records, shapes } = vectors("proofs");
  for (const each of receipts) {
    const proof = sdk.readJson(sdk.ReceiptProof, JSON.stringify(each["proof"]));
    let receipt: unknown = null;
    try {
      receipt = sdk.checkReceipt(unhex(each["app_hash"]), unhex(each["transaction"]), proof);
    } catch (error) {
      if (!(error instanceof sdk.ProofInvalid)) throw error;
    }
    same(receipt, each["receipt"], `receipt: ${each["name"]}`);
  }
  for (const each of records) {
    const claim = each["claim"];
    const proof = sdk.readJson(sdk.RecordProof, JSON.stringify({ name: "record", height: 1, claim }));
    const key = unhex(claim["key"]);
    const value = sdk.checkRecord(unhex(each["app_hash"]), key, proof);
    same(value === null ? null : sdk.readRecord(TABLES.get(key[0]!)!, value), each["record"], "record");
  }
  for (const each of shapes) checkStateProof(each["root"], each, each["holds"]);
}

function checkReadings(): void {
  for (const each of vectors("readings")) {
    const fields = camelFields(each) as unknown as sdk.Reading;
    const signed = sdk.signedReading(each["chain"], fields);
    same(signed, each["signed"], "what a meter signs");
    same(sdk.signatureIsValid(fields.signature, signed, fields.publicKey), true, "a meter's signature");
  }
}

/** The keys of the stories: the secret of the n-th key of a name is SHA-256 of `name/n`. */
const SIGNERS = new Map(
  ["alice", "bob", "board", "carol"]
    .flatMap((name) => [0, 1, 2].map((number) => sdk.hashBytes(new TextEncoder().encode(`${name}/${number}`))))
    .map((secret) => new sdk.PrivateKey(secret))
    .map((key) => [sdk.toHex(key.publicKey), key]),
);

function checkTransaction(each: Plain): void {
  const name = each["name"];
  const wire = unhex(each["operation"]);
  const envelope = sdk.decode(sdk.Envelope, wire);
  same(sdk.concatenate(sdk.TRANSACTION_DOMAIN, envelope.body), each["signed"], `${name}: signed bytes`);
  const body = roundTrip(sdk.Body, envelope.body, each["body"], `${name}: body`);
  const { threshold, keys } = envelope.auth;
  for (const [index, signature] of envelope.auth.signatures) {
    same(sdk.signatureIsValid(signature, unhex(each["signed"]), keys[index]!), true, `${name}: signature`);
  }
  const signers = keys.map((key) => SIGNERS.get(sdk.toHex(key))!);
  const draft = { ...body, nonce: Number(body.nonce), expiresMs: Number(body.expiresMs) };
  const signed = sdk.sign(draft, new sdk.KeyList(keys, threshold), signers);
  same(signed.wire, wire, `${name}: signed anew`);
  const receipt = sdk.decode(sdk.Receipt, unhex(each["post"]["receipt"]));
  same(sdk.codeName(receipt.code === 0n ? 0 : Number(receipt.code)), each["post"]["code"], `${name}: code`);
  const isItsAccounts = each["post"]["code"] !== "UNAUTHENTICATED";
  same(receipt.transaction, isItsAccounts ? signed.id : sdk.hashBytes(wire), `${name}: id`);
  for (const [key, value] of each["post"]["changes"]) {
    if (value === null) continue;
    const table = TABLES.get(unhex(key)[0]!)!;
    same(sdk.encode(table.record, sdk.readRecord(table, unhex(value)) as never), value, `${name}: record ${key}`);
  }
}
