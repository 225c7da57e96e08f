/**
 * The TypeScript SDK of GridTokenX: keys, signed transactions, the live market, proofs.
 *
 * - `keys`, `phrase`, `keystore`       Ed25519 keys, the 24 words that bring one back, encrypted files.
 * - `messages`, `orders`               what an account can ask for, each with a function that makes it.
 * - `baskets`                          orders that succeed together, or leave nothing.
 * - `transactions`, `wallet`           building and signing; nonces; expiry in chain time.
 * - `client`                           one method a route; sending with retries as the same bytes.
 * - `stream`, `livebook`               the WebSocket with resume; a book that proves itself.
 * - `proofs`                           checking what a gateway says against an app hash from elsewhere.
 * - `money`, `costs`                   amounts as people read them; what an order holds and a trade costs.
 * - `encoder`, `decoder`, `records`    the ledger's canonical bytes.
 * - `errors`                           one tree.
 */

export * from "./baskets.js";
export * from "./bytes.js";
export * from "./client.js";
export * from "./codes.generated.js";
export * from "./commitment.js";
export * from "./costs.js";
export * from "./crypto.js";
export * from "./decoder.js";
export * from "./documents.generated.js";
export * from "./encoder.js";
export * from "./errors.js";
export { parseJson, readJson } from "./json.js";
export type { Reader } from "./json.js";
export * from "./keys.js";
export * from "./keystore.js";
export type { Fields, Given } from "./kinds.js";
export * from "./livebook.js";
export * from "./messages.generated.js";
export * from "./money.js";
export * from "./orders.js";
export * from "./phrase.js";
export * from "./proofs.js";
export * from "./readings.js";
export * from "./records.generated.js";
export * from "./sending.js";
export * from "./stream.js";
export * from "./tables.js";
export * from "./transactions.js";
export * from "./wallet.js";
