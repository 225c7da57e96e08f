/**
 * The routes of a gateway as plain values: what to ask, and how to read the answer. No network here.
 *
 * Every call may be repeated without harm, whatever became of the first.
 */

import { toHex } from "./bytes.js";
import * as documents from "./documents.generated.js";
import { ApiError, NotAuthorised, NotFound, Unavailable } from "./errors.js";
import { readJson, writeJson } from "./json.js";
import type { Reader } from "./json.js";
import type { Auth } from "./records.generated.js";

/** What stands behind the question mark; what is undefined is left out. */
export type Query = Readonly<Record<string, string | number | undefined>>;

/** One request. */
export interface Call<T> {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly reader: Reader<T>;
  readonly query?: Query;
  readonly body?: object;
}

/** Path and query. */
export function target(call: Call<unknown>): string {
  const parameters = Object.entries(call.query ?? {}).filter(([, value]) => value !== undefined);
  if (parameters.length === 0) return call.path;
  return `${call.path}?${new URLSearchParams(parameters.map(([name, value]) => [name, String(value)])).toString()}`;
}

/** The body's text, or undefined. */
export function content(call: Call<unknown>): string | undefined {
  return call.body === undefined ? undefined : writeJson(call.body);
}

/**
 * The answer. Throws ApiError (or one of its kinds) when it is a refusal, AnswerNotUnderstood for anything that this
 * version of a gateway does not say. A page of an intermediary that tells of a failure (5xx) counts as Unavailable: the
 * gateway behind it may only be starting.
 */
export function readAnswer<T>(call: Call<T>, status: number, text: string): T {
  // A gateway that is not ready answers its health with 503 and says why.
  const isHealth = status === 503 && (call.reader as Reader<unknown>) === documents.HealthView;
  if (status < 400 || isHealth) return readJson(call.reader, text);
  let problem: documents.Problem;
  try {
    problem = readJson(documents.Problem, text);
  } catch (cause) {
    throw status >= 500 ? new Unavailable(`no gateway behind this address (${status})`, status, { cause }) : cause;
  }
  throw refusal(status, problem);
}

/** The error of a refusal. */
export function refusal(status: number, problem: documents.Problem): ApiError {
  let kind: typeof ApiError = ApiError;
  if (status === 401 || status === 403) kind = NotAuthorised;
  else if (status === 404) kind = NotFound;
  else if (status === 429 || status >= 500) kind = Unavailable;
  return new kind(problem.detail, status, problem);
}

export function status(): Call<documents.StatusView> {
  return { method: "GET", path: "/v1/status", reader: documents.StatusView };
}

export function health(): Call<documents.HealthView> {
  return { method: "GET", path: "/health", reader: documents.HealthView };
}

export function codes(): Call<documents.Codes> {
  return { method: "GET", path: "/v1/codes", reader: documents.Codes };
}

export function submit(wires: readonly Uint8Array[], acceptance = false): Call<documents.SubmissionAnswer> {
  const body: documents.Submission = { transactions: wires.map(toHex) };
  const query = { acceptance: acceptance ? "true" : undefined };
  return { method: "POST", path: "/v1/transactions", reader: documents.SubmissionAnswer, query, body };
}

export function transaction(id: Uint8Array, waitMs?: number): Call<documents.TransactionView> {
  const query = { wait_ms: waitMs || undefined };
  return { method: "GET", path: `/v1/transactions/${toHex(id)}`, reader: documents.TransactionView, query };
}

export function receiptProof(id: Uint8Array): Call<documents.ReceiptProof> {
  return { method: "GET", path: `/v1/transactions/${toHex(id)}/proof`, reader: documents.ReceiptProof };
}

export function intervals(start?: number, limit?: number): Call<documents.Intervals> {
  return { method: "GET", path: "/v1/intervals", reader: documents.Intervals, query: { start, limit } };
}

export function interval(number: number): Call<documents.IntervalView> {
  return { method: "GET", path: `/v1/intervals/${number}`, reader: documents.IntervalView };
}

export function book(number: number, feeder?: number, levels?: number): Call<documents.BookView> {
  return { method: "GET", path: `/v1/intervals/${number}/book`, reader: documents.BookView, query: { feeder, levels } };
}

export function intervalTrades(number: number, after?: number, limit?: number): Call<documents.Trades> {
  return { method: "GET", path: `/v1/intervals/${number}/trades`, reader: documents.Trades, query: { after, limit } };
}

export function prices(number: number): Call<documents.PricesView> {
  return { method: "GET", path: `/v1/prices/${number}`, reader: documents.PricesView };
}

export function blockOrders(): Call<documents.BlockOrders> {
  return { method: "GET", path: "/v1/block-orders", reader: documents.BlockOrders };
}

export function auction(number: number): Call<documents.AuctionView> {
  return { method: "GET", path: `/v1/auctions/${number}`, reader: documents.AuctionView };
}

export function auctionHistory(number: number): Call<documents.CallHistory> {
  return { method: "GET", path: `/v1/auctions/${number}/history`, reader: documents.CallHistory };
}

export function auctionCurves(number: number, zone: number): Call<documents.CallCurves> {
  return { method: "GET", path: `/v1/auctions/${number}/curves/${zone}`, reader: documents.CallCurves };
}

export function network(number: number): Call<documents.NetworkView> {
  return { method: "GET", path: `/v1/network/${number}`, reader: documents.NetworkView };
}

export function zoneFeeders(number: number, zone: number, after?: number, limit?: number): Call<documents.ZoneFeeders> {
  const path = `/v1/network/${number}/zones/${zone}`;
  return { method: "GET", path, reader: documents.ZoneFeeders, query: { after, limit } };
}

export function trades(after?: number, limit?: number): Call<documents.Trades> {
  return { method: "GET", path: "/v1/trades", reader: documents.Trades, query: { after, limit } };
}

export function blocks(before?: number, limit?: number): Call<documents.Blocks> {
  return { method: "GET", path: "/v1/blocks", reader: documents.Blocks, query: { before, limit } };
}

export function block(height: number): Call<documents.BlockView> {
  return { method: "GET", path: `/v1/blocks/${height}`, reader: documents.BlockView };
}

export function consensusCommit(height: number): Call<documents.CommitAnswer> {
  return { method: "GET", path: `/v1/consensus/commits/${height}`, reader: documents.CommitAnswer };
}

export function consensusValidators(height: number): Call<documents.ValidatorsAnswer> {
  return { method: "GET", path: `/v1/consensus/validators/${height}`, reader: documents.ValidatorsAnswer };
}

export function challenge(account: Uint8Array): Call<documents.ChallengeAnswer> {
  const body: documents.ChallengeRequest = { account: toHex(account) };
  return { method: "POST", path: "/v1/challenges", reader: documents.ChallengeAnswer, body };
}

export function session(signed: Uint8Array, auth: Auth): Call<documents.SessionAnswer> {
  const body: documents.SessionRequest = { challenge: toHex(signed), auth: authDocument(auth) };
  return { method: "POST", path: "/v1/sessions", reader: documents.SessionAnswer, body };
}

export function account(own: Uint8Array, height?: number): Call<documents.AccountView> {
  return { method: "GET", path: `/v1/accounts/${toHex(own)}`, reader: documents.AccountView, query: { height } };
}

export function ownVersions(own: Uint8Array, query: Query): Call<documents.RecordVersions> {
  return { method: "GET", path: `/v1/accounts/${toHex(own)}/history`, reader: documents.RecordVersions, query };
}

/** The key of a table of one record is empty. */
function keyOf(key: Uint8Array): string {
  return toHex(key) || "-";
}

export function pastRecord(table: string, key: Uint8Array, height?: number): Call<documents.PastRecord> {
  const path = `/v1/history/${table}/${keyOf(key)}`;
  return { method: "GET", path, reader: documents.PastRecord, query: { height } };
}

export function versions(table: string, key: Uint8Array, query: Query): Call<documents.RecordVersions> {
  const path = `/v1/history/${table}/${keyOf(key)}/versions`;
  return { method: "GET", path, reader: documents.RecordVersions, query };
}

export function orders(own: Uint8Array, query: Query): Call<documents.Orders> {
  return { method: "GET", path: `/v1/accounts/${toHex(own)}/orders`, reader: documents.Orders, query };
}

export function order(own: Uint8Array, clientId: Uint8Array): Call<documents.OrderView> {
  const path = `/v1/accounts/${toHex(own)}/orders/${toHex(clientId)}`;
  return { method: "GET", path, reader: documents.OrderView };
}

export function positions(own: Uint8Array, query: Query): Call<documents.Positions> {
  return { method: "GET", path: `/v1/accounts/${toHex(own)}/positions`, reader: documents.Positions, query };
}

export function statements(own: Uint8Array, query: Query): Call<documents.Statements> {
  return { method: "GET", path: `/v1/accounts/${toHex(own)}/statements`, reader: documents.Statements, query };
}

export function aggregators(): Call<documents.Aggregators> {
  return { method: "GET", path: "/v1/aggregators", reader: documents.Aggregators };
}

export function portfolios(own: Uint8Array): Call<documents.OwnPortfolios> {
  return { method: "GET", path: `/v1/accounts/${toHex(own)}/portfolios`, reader: documents.OwnPortfolios };
}

export function splits(own: Uint8Array, query: Query): Call<documents.SplitsOfAccount> {
  return { method: "GET", path: `/v1/accounts/${toHex(own)}/splits`, reader: documents.SplitsOfAccount, query };
}

export function makers(): Call<documents.Makers> {
  return { method: "GET", path: "/v1/makers", reader: documents.Makers };
}

export function maker(portfolio: Uint8Array): Call<documents.MakerDuties> {
  return { method: "GET", path: `/v1/makers/${toHex(portfolio)}`, reader: documents.MakerDuties };
}

export function duties(own: Uint8Array, query: Query): Call<documents.OwnDuties> {
  return { method: "GET", path: `/v1/accounts/${toHex(own)}/duties`, reader: documents.OwnDuties, query };
}

export function recordProof(own: Uint8Array, query: Query): Call<documents.RecordProof> {
  return { method: "GET", path: `/v1/accounts/${toHex(own)}/proof`, reader: documents.RecordProof, query };
}

export function bill(own: Uint8Array, query: Query): Call<documents.Bill> {
  return { method: "GET", path: `/v1/accounts/${toHex(own)}/bill`, reader: documents.Bill, query };
}

export function community(start?: number, limit?: number): Call<documents.Community> {
  return { method: "GET", path: "/v1/community", reader: documents.Community, query: { start, limit } };
}

export function savings(): Call<documents.Savings> {
  return { method: "GET", path: "/v1/community/savings", reader: documents.Savings };
}

export function search(words: string): Call<documents.SearchResults> {
  return { method: "GET", path: "/v1/search", reader: documents.SearchResults, query: { q: words } };
}

export function terms(): Call<documents.TermsInForce> {
  return { method: "GET", path: "/v1/terms", reader: documents.TermsInForce };
}

export function places(): Call<documents.Places> {
  return { method: "GET", path: "/v1/places", reader: documents.Places };
}

export function publicAccount(id: Uint8Array): Call<documents.PublicAccount> {
  return { method: "GET", path: `/v1/explorer/accounts/${toHex(id)}`, reader: documents.PublicAccount };
}

export function authorities(): Call<documents.Authorities> {
  return { method: "GET", path: "/v1/authorities", reader: documents.Authorities };
}

export function authority(member: Uint8Array): Call<documents.MemberDetail> {
  return { method: "GET", path: `/v1/authorities/${toHex(member)}`, reader: documents.MemberDetail };
}

export function proposals(query: Query): Call<documents.Proposals> {
  return { method: "GET", path: "/v1/authorities/proposals", reader: documents.Proposals, query };
}

export function availability(before?: number, limit?: number): Call<documents.Availability> {
  return { method: "GET", path: "/v1/availability", reader: documents.Availability, query: { before, limit } };
}

export function faucet(): Call<documents.FaucetView> {
  return { method: "GET", path: "/v1/faucet", reader: documents.FaucetView };
}

export function join(signed: Uint8Array, auth: Auth, profile: string): Call<documents.FaucetAnswer> {
  const body: documents.FaucetRequest = { challenge: toHex(signed), auth: authDocument(auth), profile };
  return { method: "POST", path: "/v1/faucet", reader: documents.FaucetAnswer, body };
}

function authDocument(auth: Auth): documents.AuthDocument {
  return {
    algorithm: auth.algorithm,
    threshold: auth.threshold,
    keys: auth.keys.map(toHex),
    signatures: auth.signatures.map(([index, signature]) => [index, toHex(signature)] as const),
  };
}
