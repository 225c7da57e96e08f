// Made by packages/sdk/generate.py from the Python sources: change those, then run it again.
import { anything, document, flag, integer, listOf, money, optional, orNull, text } from "./json.js";
import type { Reader } from "./json.js";

/**
 * Why not (RFC 9457). `code` and `name` are the ledger's, the engine's or the gateway's; `field` says what it is
 * about, `detail` what is the matter with it. `title` says in the reader's language what happened and what to do,
 * `type` is where all languages are found, `instance` names this one occurrence in the gateway's log.
 */
export interface Problem {
  readonly code: number;
  readonly name: string;
  readonly field: string;
  readonly detail: string;
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly instance: string | null;
}

export const Problem: Reader<Problem> = document<Problem>({
  code: integer,
  name: text,
  field: text,
  detail: text,
  type: optional(text, "about:blank"),
  title: optional(text, ""),
  status: optional(integer, 0),
  instance: optional(orNull(text), null),
});

/** Signed transactions, in hexadecimal or base64. */
export interface Submission {
  readonly transactions: readonly string[];
}

/** A sibling on the way from a leaf to a root of a list. */
export interface PathStep {
  readonly right: boolean;
  readonly hash: string;
}

export const PathStep: Reader<PathStep> = document<PathStep>({
  right: flag,
  hash: text,
});

/**
 * The node's promise that it took a transaction in, to be shown to anybody: the header of the batch, the node's
 * signature under it, and the way from the transaction's bytes to the root in the header.
 */
export interface AcceptanceView {
  readonly header: string;
  readonly signature: string;
  readonly path: readonly PathStep[];
}

export const AcceptanceView: Reader<AcceptanceView> = document<AcceptanceView>({
  header: text,
  signature: text,
  path: listOf(PathStep),
});

/**
 * What became of one submitted transaction: `pending` (it is on the node's disk), `refused` with a code, `busy` (not
 * taken, try again), `committed` if it was known already. `id` is empty for what is not even a transaction;
 * `acceptance` is there for a pending one, if it was asked for.
 */
export interface Submitted {
  readonly id: string;
  readonly state: string;
  readonly code: number;
  readonly name: string;
  readonly field: string;
  readonly acceptance: AcceptanceView | null;
}

export const Submitted: Reader<Submitted> = document<Submitted>({
  id: text,
  state: text,
  code: integer,
  name: text,
  field: text,
  acceptance: optional(orNull(AcceptanceView), null),
});

/** One answer for each transaction, in order. */
export interface SubmissionAnswer {
  readonly transactions: readonly Submitted[];
}

export const SubmissionAnswer: Reader<SubmissionAnswer> = document<SubmissionAnswer>({
  transactions: listOf(Submitted),
});

/**
 * State of a transaction: `pending`, `committed`, `expired`, or `unknown` here. When committed: the code, the index
 * of the message that failed (if the code is not 0), the numbers of each message, where it stands, and which kinds of
 * messages it has (`docs/messages.md`).
 */
export interface TransactionView {
  readonly id: string;
  readonly state: string;
  readonly code: number | null;
  readonly name: string | null;
  readonly failed: number | null;
  readonly results: readonly (readonly number[])[];
  readonly height: number | null;
  readonly timeMs: number | null;
  readonly batch: number | null;
  readonly position: number | null;
  readonly kinds: readonly string[];
}

export const TransactionView: Reader<TransactionView> = document<TransactionView>({
  id: text,
  state: text,
  code: optional(orNull(integer), null),
  name: optional(orNull(text), null),
  failed: optional(orNull(integer), null),
  results: optional(listOf(listOf(integer)), []),
  height: optional(orNull(integer), null),
  timeMs: optional(orNull(integer), null),
  batch: optional(orNull(integer), null),
  position: optional(orNull(integer), null),
  kinds: optional(listOf(text), []),
});

/** The bucket and the way from it to the app hash (`ledger/commitment.py`). */
export interface StateProof {
  readonly items: string;
  readonly path: readonly string[];
}

export const StateProof: Reader<StateProof> = document<StateProof>({
  items: text,
  path: listOf(text),
});

/**
 * That the state with this root (the app hash of a block) holds `value` under `key`, or nothing (null), and the
 * proof: what `docs/check_proof.py` checks.
 */
export interface StateClaim {
  readonly root: string;
  readonly key: string;
  readonly value: string | null;
  readonly proof: StateProof;
}

export const StateClaim: Reader<StateClaim> = document<StateClaim>({
  root: text,
  key: text,
  value: orNull(text),
  proof: StateProof,
});

/**
 * Everything that shows a stranger, who knows the app hash of the block, what became of a transaction: receipt → root
 * of its batch → receipts root, which stands in the block's own record (`claim`) → app hash.
 */
export interface ReceiptProof {
  readonly transaction: string;
  readonly height: number;
  readonly receipt: string;
  readonly batchPath: readonly PathStep[];
  readonly batchRoot: string;
  readonly blockPath: readonly PathStep[];
  readonly claim: StateClaim;
}

export const ReceiptProof: Reader<ReceiptProof> = document<ReceiptProof>({
  transaction: text,
  height: integer,
  receipt: text,
  batchPath: listOf(PathStep),
  batchRoot: text,
  blockPath: listOf(PathStep),
  claim: StateClaim,
});

/** What the state after block `height` says of one record. */
export interface RecordProof {
  readonly name: string;
  readonly height: number;
  readonly claim: StateClaim;
}

export const RecordProof: Reader<RecordProof> = document<RecordProof>({
  name: text,
  height: integer,
  claim: StateClaim,
});

/** Of an auction. */
export interface ZonePrice {
  readonly zone: number;
  readonly priceMicro: bigint;
}

export const ZonePrice: Reader<ZonePrice> = document<ZonePrice>({
  zone: integer,
  priceMicro: money,
});

/**
 * A delivery interval that is open, or was and is not final yet. Volumes are of the trades that this gateway has
 * seen. `phase`: `trading`; `call` (from `call_ms` on orders collect for the auction at the gate); `clearing` (the
 * auction is at work); `closed`. `stage` is that of settlement. `zone_prices`: what the auction decided.
 */
export interface IntervalView {
  readonly interval: number;
  readonly deliveryMs: number;
  readonly gateMs: number;
  readonly phase: string;
  readonly stage: string;
  readonly tariffMicro: bigint;
  readonly buyBackMicro: bigint;
  readonly terms: number;
  readonly openOrders: number;
  readonly bestBidMicro: bigint | null;
  readonly bestAskMicro: bigint | null;
  readonly lastPriceMicro: bigint | null;
  readonly tradedWh: number;
  readonly tradedMicro: bigint;
  readonly callMs: number | null;
  readonly zonePrices: readonly ZonePrice[];
}

export const IntervalView: Reader<IntervalView> = document<IntervalView>({
  interval: integer,
  deliveryMs: integer,
  gateMs: integer,
  phase: text,
  stage: text,
  tariffMicro: money,
  buyBackMicro: money,
  terms: integer,
  openOrders: integer,
  bestBidMicro: orNull(money),
  bestAskMicro: orNull(money),
  lastPriceMicro: orNull(money),
  tradedWh: integer,
  tradedMicro: money,
  callMs: optional(orNull(integer), null),
  zonePrices: optional(listOf(ZonePrice), []),
});

/** A zone, or a feeder whose link to its zone has a limit: its price, and what its orders sold and bought. */
export interface AuctionPlace {
  readonly zone: number;
  readonly feeder: number | null;
  readonly priceMicro: bigint;
  readonly soldWh: number;
  readonly boughtWh: number;
}

export const AuctionPlace: Reader<AuctionPlace> = document<AuctionPlace>({
  zone: integer,
  feeder: orNull(integer),
  priceMicro: money,
  soldWh: integer,
  boughtWh: integer,
});

/**
 * A border between two zones, or (`second` null) the link of a feeder. What was free each way, what flows (forward
 * above zero), what of the difference of prices pays wheeling, and the congestion rent.
 */
export interface AuctionLink {
  readonly first: number;
  readonly second: number | null;
  readonly forwardFreeWh: number;
  readonly backwardFreeWh: number;
  readonly flowWh: number;
  readonly wheelingMicro: bigint;
  readonly rentMicro: bigint;
}

export const AuctionLink: Reader<AuctionLink> = document<AuctionLink>({
  first: integer,
  second: orNull(integer),
  forwardFreeWh: integer,
  backwardFreeWh: integer,
  flowWh: integer,
  wheelingMicro: money,
  rentMicro: money,
});

/**
 * The auction of an interval. `state`: `open` (orders do not collect yet, or there is no call phase), `indicative`
 * (what it would be if the gate were now), `clearing` (at work), `final`, `none` (there was none). Places that are
 * not listed have no price. `method` is `solved`, or `apart` where each place was cleared by itself.
 */
export interface AuctionView {
  readonly interval: number;
  readonly height: number;
  readonly timeMs: number;
  readonly state: string;
  readonly tooManyOrders: boolean;
  readonly orders: number | null;
  readonly method: string | null;
  readonly welfareMicro: bigint;
  readonly places: readonly AuctionPlace[];
  readonly links: readonly AuctionLink[];
}

export const AuctionView: Reader<AuctionView> = document<AuctionView>({
  interval: integer,
  height: integer,
  timeMs: integer,
  state: text,
  tooManyOrders: optional(flag, false),
  orders: optional(orNull(integer), null),
  method: optional(orNull(text), null),
  welfareMicro: optional(money, 0n),
  places: optional(listOf(AuctionPlace), []),
  links: optional(listOf(AuctionLink), []),
});

/**
 * A halt of trade: of one interval (null: all) in one zone (null: all), until then (null: until the operator
 * resumes). `reason`: `band` (trading would have left the price band), or the operator's: `grid_emergency`,
 * `doubtful_prices`, `technical_fault`, `suspected_abuse`, `exercise`. `stage`: `collecting`; `calling` and `meeting`
 * while it ends. `extended`: the price of its call lay beyond the band once, or it was ended before its time.
 */
export interface HaltView {
  readonly interval: number | null;
  readonly zone: number | null;
  readonly sinceMs: number;
  readonly untilMs: number | null;
  readonly reason: string;
  readonly stage: string;
  readonly extended: boolean;
}

export const HaltView: Reader<HaltView> = document<HaltView>({
  interval: orNull(integer),
  zone: orNull(integer),
  sinceMs: integer,
  untilMs: orNull(integer),
  reason: text,
  stage: text,
  extended: flag,
});

/**
 * The reference price of a zone, the band around it in which its sellers' trades lie (null: any price), the block in
 * which it changed last (null: since the interval opened), and its parts, whose sum it is, kept within tariff and
 * buy-back and on the tick. `traded_wh`: energy of trades that counts. `halts_by_band`: interruptions so far;
 * `halts`: those that hold now.
 */
export interface ReferenceView {
  readonly zone: number;
  readonly priceMicro: bigint;
  readonly lowMicro: bigint | null;
  readonly highMicro: bigint | null;
  readonly changedHeight: number | null;
  readonly anchorMicro: bigint;
  readonly calledMicro: bigint;
  readonly tradesMicro: bigint;
  readonly renewableMicro: bigint;
  readonly bookMicro: bigint;
  readonly congestionMicro: bigint;
  readonly tradedWh: number;
  readonly haltsByBand: number;
  readonly halts: readonly HaltView[];
}

export const ReferenceView: Reader<ReferenceView> = document<ReferenceView>({
  zone: integer,
  priceMicro: money,
  lowMicro: orNull(money),
  highMicro: orNull(money),
  changedHeight: orNull(integer),
  anchorMicro: money,
  calledMicro: money,
  tradesMicro: money,
  renewableMicro: money,
  bookMicro: money,
  congestionMicro: money,
  tradedWh: integer,
  haltsByBand: integer,
  halts: listOf(HaltView),
});

/**
 * Reference prices of an interval in all zones. `band_ppm`: how far from it a trade may lie (0: as it likes);
 * `reference_wh`: so much energy traded weighs as much as what the price began with. `closed`: the gate has closed,
 * no more will come.
 */
export interface PricesView {
  readonly interval: number;
  readonly height: number;
  readonly timeMs: number;
  readonly bandPpm: number;
  readonly referenceWh: number;
  readonly closed: boolean;
  readonly zones: readonly ReferenceView[];
}

export const PricesView: Reader<PricesView> = document<PricesView>({
  interval: integer,
  height: integer,
  timeMs: integer,
  bandPpm: integer,
  referenceWh: integer,
  closed: flag,
  zones: listOf(ReferenceView),
});

/** Rising; `next` is the `start` of the following page, 0 when there is none. */
export interface Intervals {
  readonly height: number;
  readonly timeMs: number;
  readonly intervals: readonly IntervalView[];
  readonly next: number;
}

export const Intervals: Reader<Intervals> = document<Intervals>({
  height: integer,
  timeMs: integer,
  intervals: listOf(IntervalView),
  next: integer,
});

/**
 * Orders of one side, limit, feeder, source and scope (0 anywhere, 1 their zone, 2 their feeder). A seller's source
 * has one bit set in `sources`, a buyer's mask has the bits of all sources it takes. Of an iceberg only what it shows
 * counts. In a stream update, quantity 0 means that the level is gone.
 */
export interface Level {
  readonly priceMicro: bigint;
  readonly feeder: number;
  readonly sources: number;
  readonly quantityWh: number;
  readonly orders: number;
  readonly scope: number;
}

export const Level: Reader<Level> = document<Level>({
  priceMicro: money,
  feeder: integer,
  sources: integer,
  quantityWh: integer,
  orders: integer,
  scope: optional(integer, 0),
});

/**
 * What a trader on the asked-for feeder meets: for a buyer the delivered price of offers, for a seller what it would
 * get from bids (their limit less wheeling), over the ways that links still leave: only as much as they let through,
 * and nothing that its scope keeps elsewhere. `nearness`: 0 same feeder, 1 same zone, then 1 + borders.
 */
export interface DeliveredLevel {
  readonly deliveredMicro: bigint;
  readonly priceMicro: bigint;
  readonly nearness: number;
  readonly feeder: number;
  readonly sources: number;
  readonly quantityWh: number;
  readonly orders: number;
}

export const DeliveredLevel: Reader<DeliveredLevel> = document<DeliveredLevel>({
  deliveredMicro: money,
  priceMicro: money,
  nearness: integer,
  feeder: integer,
  sources: integer,
  quantityWh: integer,
  orders: integer,
});

/**
 * Depth of one interval at a height, best first. `checksum` is over all levels (`checksum_of`), however many of them
 * are shown.
 */
export interface BookView {
  readonly interval: number;
  readonly height: number;
  readonly timeMs: number;
  readonly checksum: string;
  readonly levels: number;
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
  readonly feeder: number | null;
  readonly deliveredBids: readonly DeliveredLevel[] | null;
  readonly deliveredAsks: readonly DeliveredLevel[] | null;
}

export const BookView: Reader<BookView> = document<BookView>({
  interval: integer,
  height: integer,
  timeMs: integer,
  checksum: text,
  levels: integer,
  bids: listOf(Level),
  asks: listOf(Level),
  feeder: optional(orNull(integer), null),
  deliveredBids: optional(orNull(listOf(DeliveredLevel)), null),
  deliveredAsks: optional(orNull(listOf(DeliveredLevel)), null),
});

/**
 * One trade, without names. `sequence` rises with every trade on the chain: height and place in the block. `voids`:
 * not a trade, but the end of the trade with that sequence, which it repeats: the block that made it stood on a stale
 * clock (`docs/market-rules.md`). Who adds trades up leaves out both. `auction`: what one order traded with the
 * auction of its interval; `taker` is its side, a purchase's `source` is `any`, and each Wh comes twice, sold and
 * bought. `zones`: all that the energy passes, the seller's first, if it crosses borders.
 */
export interface TradeView {
  readonly sequence: number;
  readonly height: number;
  readonly timeMs: number;
  readonly interval: number;
  readonly quantityWh: number;
  readonly priceMicro: bigint;
  readonly wheelingMicro: bigint;
  readonly taker: string;
  readonly source: string;
  readonly voids: number | null;
  readonly auction: boolean;
  readonly zones: readonly number[];
}

export const TradeView: Reader<TradeView> = document<TradeView>({
  sequence: integer,
  height: integer,
  timeMs: integer,
  interval: integer,
  quantityWh: integer,
  priceMicro: money,
  wheelingMicro: money,
  taker: text,
  source: text,
  voids: optional(orNull(integer), null),
  auction: optional(flag, false),
  zones: optional(listOf(integer), []),
});

/** `next` is the `after` of the following page; `oldest` is the first sequence that this gateway still has. */
export interface Trades {
  readonly trades: readonly TradeView[];
  readonly next: number;
  readonly oldest: number;
}

export const Trades: Reader<Trades> = document<Trades>({
  trades: listOf(TradeView),
  next: integer,
  oldest: integer,
});

/** What a block did, in the world's own units. */
export interface SummaryView {
  readonly tradedWh: number;
  readonly tradedMicro: bigint;
  readonly meteredImportWh: number;
  readonly meteredExportWh: number;
  readonly settledWh: number;
  readonly settledMicro: bigint;
  readonly voidedWh: number;
  readonly voidedMicro: bigint;
}

export const SummaryView: Reader<SummaryView> = document<SummaryView>({
  tradedWh: integer,
  tradedMicro: money,
  meteredImportWh: integer,
  meteredExportWh: integer,
  settledWh: integer,
  settledMicro: money,
  voidedWh: integer,
  voidedMicro: money,
});

/** One block in a list. `trades` counts those that it voided, too. */
export interface BlockLine {
  readonly height: number;
  readonly timeMs: number;
  readonly hash: string;
  readonly appHash: string;
  readonly transactions: number;
  readonly trades: number;
  readonly summary: SummaryView;
}

export const BlockLine: Reader<BlockLine> = document<BlockLine>({
  height: integer,
  timeMs: integer,
  hash: text,
  appHash: text,
  transactions: integer,
  trades: integer,
  summary: SummaryView,
});

/** Newest first; `next` is the `before` of the following page, 0 when there is none. */
export interface Blocks {
  readonly blocks: readonly BlockLine[];
  readonly next: number;
}

export const Blocks: Reader<Blocks> = document<Blocks>({
  blocks: listOf(BlockLine),
  next: integer,
});

/**
 * One batch of a block: its code, its author, and each transaction's id with its code and the kinds of its messages
 * (`docs/messages.md`).
 */
export interface BatchView {
  readonly code: number;
  readonly name: string;
  readonly author: string;
  readonly transactions: readonly string[];
  readonly codes: readonly number[];
  readonly kinds: readonly (readonly string[])[];
}

export const BatchView: Reader<BatchView> = document<BatchView>({
  code: integer,
  name: text,
  author: text,
  transactions: listOf(text),
  codes: listOf(integer),
  kinds: listOf(listOf(text)),
});

/**
 * A block with its header. `hash` is the header's. `commit_round` is the round in which the block before it was
 * agreed (0: at once), `absent` the validators whose votes on that one it does not hold; null and none with a block
 * that carries nothing about the one before.
 */
export interface BlockView {
  readonly height: number;
  readonly timeMs: number;
  readonly chain: string;
  readonly hash: string;
  readonly appHash: string;
  readonly proposer: string;
  readonly previous: string;
  readonly appHashBefore: string;
  readonly batchesRoot: string;
  readonly commitHash: string;
  readonly commitRound: number | null;
  readonly absent: readonly string[];
  readonly receiptsRoot: string;
  readonly tradesRoot: string;
  readonly summary: SummaryView;
  readonly trades: number;
  readonly batches: readonly BatchView[];
}

export const BlockView: Reader<BlockView> = document<BlockView>({
  height: integer,
  timeMs: integer,
  chain: text,
  hash: text,
  appHash: text,
  proposer: text,
  previous: text,
  appHashBefore: text,
  batchesRoot: text,
  commitHash: text,
  commitRound: orNull(integer),
  absent: listOf(text),
  receiptsRoot: text,
  tradesRoot: text,
  summary: SummaryView,
  trades: integer,
  batches: listOf(BatchView),
});

/**
 * Where the chain is. `time_ms` is chain time: what expiries are counted from. `frozen_since_ms`: since then the
 * market is stopped by its emergency rules, and orders and payments are refused; null while it goes on.
 */
export interface StatusView {
  readonly chain: string;
  readonly kind: string;
  readonly protocol: number;
  readonly height: number;
  readonly timeMs: number;
  readonly appHash: string;
  readonly interval: number;
  readonly intervalsOpen: number;
  readonly ordersOpen: number;
  readonly version: string;
  readonly frozenSinceMs: number | null;
}

export const StatusView: Reader<StatusView> = document<StatusView>({
  chain: text,
  kind: text,
  protocol: integer,
  height: integer,
  timeMs: integer,
  appHash: text,
  interval: integer,
  intervalsOpen: integer,
  ordersOpen: integer,
  version: text,
  frozenSinceMs: optional(orNull(integer), null),
});

/** `live`: the process answers. `ready`: it can do its work; else `reasons` says why not. */
export interface HealthView {
  readonly live: boolean;
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly height: number;
}

export const HealthView: Reader<HealthView> = document<HealthView>({
  live: flag,
  ready: flag,
  reasons: listOf(text),
  height: integer,
});

/** A code, its name, and what it means to people: in English, in Thai. */
export interface CodeLine {
  readonly code: number;
  readonly name: string;
  readonly en: string;
  readonly th: string;
}

export const CodeLine: Reader<CodeLine> = document<CodeLine>({
  code: integer,
  name: text,
  en: optional(text, ""),
  th: optional(text, ""),
});

/** All codes, rising. */
export interface Codes {
  readonly codes: readonly CodeLine[];
}

export const Codes: Reader<Codes> = document<Codes>({
  codes: listOf(CodeLine),
});

/** Who wants to be let in. */
export interface ChallengeRequest {
  readonly account: string;
}

/** The bytes to sign, and for how long they are good. */
export interface ChallengeAnswer {
  readonly challenge: string;
  readonly lifetimeMs: number;
}

export const ChallengeAnswer: Reader<ChallengeAnswer> = document<ChallengeAnswer>({
  challenge: text,
  lifetimeMs: integer,
});

/** As in a transaction: the account's whole key list, and (index of the key, signature) of `threshold` of them. */
export interface AuthDocument {
  readonly algorithm: number;
  readonly threshold: number;
  readonly keys: readonly string[];
  readonly signatures: readonly (readonly [number, string])[];
}

/** A challenge, signed by the account's keys. */
export interface SessionRequest {
  readonly challenge: string;
  readonly auth: AuthDocument;
}

/** A token for the header `Authorization: Bearer ...`. */
export interface SessionAnswer {
  readonly token: string;
  readonly account: string;
  readonly lifetimeMs: number;
}

export const SessionAnswer: Reader<SessionAnswer> = document<SessionAnswer>({
  token: text,
  account: text,
  lifetimeMs: integer,
});

/** One's own account. Free balance = balance - held. */
export interface AccountView {
  readonly account: string;
  readonly participant: string;
  readonly height: number;
  readonly timeMs: number;
  readonly balanceMicro: bigint;
  readonly heldMicro: bigint;
  readonly freeMicro: bigint;
  readonly debtMicro: bigint;
  readonly nonceHighest: number;
  readonly nonceGaps: string;
  readonly keysHash: string;
  readonly portfolios: readonly string[];
}

export const AccountView: Reader<AccountView> = document<AccountView>({
  account: text,
  participant: text,
  height: integer,
  timeMs: integer,
  balanceMicro: money,
  heldMicro: money,
  freeMicro: money,
  debtMicro: money,
  nonceHighest: integer,
  nonceGaps: text,
  keysHash: text,
  portfolios: listOf(text),
});

/**
 * An own order. `state`: `pending` (accepted, in no block yet), `open`, `filled`, `cancelled` (by its owner, or the
 * rest of one that does not rest), `ended` (gate, own time, or no longer allowed), `rejected` (with code).
 * `transaction` is the last one that named it, empty if this gateway no longer knows. `voided_wh`: so much of what it
 * filled is void (`docs/market-rules.md`), and `value_micro` is without it. `intervals`: of a block order how many,
 * of which `interval` is the earliest; its quantities are those of all of them. `plain`: of an open one, whether it
 * takes part in the auction of its interval if it stays as it is.
 */
export interface OrderView {
  readonly clientId: string;
  readonly state: string;
  readonly height: number;
  readonly transaction: string;
  readonly code: number;
  readonly name: string;
  readonly interval: number | null;
  readonly side: string | null;
  readonly portfolio: string | null;
  readonly priceMicro: bigint | null;
  readonly quantityWh: number | null;
  readonly filledWh: number | null;
  readonly remainingWh: number | null;
  readonly valueMicro: bigint | null;
  readonly expiresMs: number | null;
  readonly place: number | null;
  readonly voidedWh: number;
  readonly plain: boolean | null;
  readonly intervals: number;
}

export const OrderView: Reader<OrderView> = document<OrderView>({
  clientId: text,
  state: text,
  height: integer,
  transaction: optional(text, ""),
  code: optional(integer, 0),
  name: optional(text, ""),
  interval: optional(orNull(integer), null),
  side: optional(orNull(text), null),
  portfolio: optional(orNull(text), null),
  priceMicro: optional(orNull(money), null),
  quantityWh: optional(orNull(integer), null),
  filledWh: optional(orNull(integer), null),
  remainingWh: optional(orNull(integer), null),
  valueMicro: optional(orNull(money), null),
  expiresMs: optional(orNull(integer), null),
  place: optional(orNull(integer), null),
  voidedWh: optional(integer, 0),
  plain: optional(orNull(flag), null),
  intervals: optional(integer, 1),
});

/**
 * A block order that waits, without a name. `quantity_wh` is that of each interval, `interval` the earliest of them;
 * `sources` as of a level of a book, `scope` is `anywhere`, `zone` or `feeder`.
 */
export interface BlockOrderView {
  readonly place: number;
  readonly side: string;
  readonly interval: number;
  readonly intervals: number;
  readonly priceMicro: bigint;
  readonly quantityWh: number;
  readonly feeder: number;
  readonly sources: number;
  readonly scope: string;
  readonly expiresMs: number;
}

export const BlockOrderView: Reader<BlockOrderView> = document<BlockOrderView>({
  place: integer,
  side: text,
  interval: integer,
  intervals: integer,
  priceMicro: money,
  quantityWh: integer,
  feeder: integer,
  sources: integer,
  scope: text,
  expiresMs: integer,
});

/** All that wait, in the order in which they are tried again. */
export interface BlockOrders {
  readonly height: number;
  readonly blockOrders: readonly BlockOrderView[];
}

export const BlockOrders: Reader<BlockOrders> = document<BlockOrders>({
  height: integer,
  blockOrders: listOf(BlockOrderView),
});

/** `next` is the `after` of the following page, empty when there is none. */
export interface Orders {
  readonly height: number;
  readonly orders: readonly OrderView[];
  readonly next: string;
}

export const Orders: Reader<Orders> = document<Orders>({
  height: integer,
  orders: listOf(OrderView),
  next: text,
});

/** What a portfolio traded in one interval. */
export interface PositionView {
  readonly interval: number;
  readonly portfolio: string;
  readonly soldWh: number;
  readonly boughtWh: number;
  readonly openSellWh: number;
  readonly openBuyWh: number;
  readonly saleValueMicro: bigint;
  readonly purchaseCostMicro: bigint;
  readonly collateralMicro: bigint;
}

export const PositionView: Reader<PositionView> = document<PositionView>({
  interval: integer,
  portfolio: text,
  soldWh: integer,
  boughtWh: integer,
  openSellWh: integer,
  openBuyWh: integer,
  saleValueMicro: money,
  purchaseCostMicro: money,
  collateralMicro: money,
});

/** Rising intervals; `next` is the `start` of the following page, 0 when there is none. */
export interface Positions {
  readonly height: number;
  readonly positions: readonly PositionView[];
  readonly next: number;
}

export const Positions: Reader<Positions> = document<Positions>({
  height: integer,
  positions: listOf(PositionView),
  next: integer,
});

/**
 * The result of one interval for one portfolio. Charge and credit are with the residual supplier: by the meter, and
 * of a split (a member's part of a loss or a gain; of a portfolio with members what it takes over and passes on).
 * `rebate_micro`: what a maker got of the interval's trading fees.
 */
export interface StatementView {
  readonly interval: number;
  readonly portfolio: string;
  readonly quality: string;
  readonly importWh: number;
  readonly exportWh: number;
  readonly soldWh: number;
  readonly boughtWh: number;
  readonly undeliveredWh: number;
  readonly unusedWh: number;
  readonly otherImportWh: number;
  readonly otherExportWh: number;
  readonly purchaseCostMicro: bigint;
  readonly saleProceedsMicro: bigint;
  readonly chargeMicro: bigint;
  readonly creditMicro: bigint;
  readonly splitChargeMicro: bigint;
  readonly splitCreditMicro: bigint;
  readonly rebateMicro: bigint;
}

export const StatementView: Reader<StatementView> = document<StatementView>({
  interval: integer,
  portfolio: text,
  quality: text,
  importWh: integer,
  exportWh: integer,
  soldWh: integer,
  boughtWh: integer,
  undeliveredWh: integer,
  unusedWh: integer,
  otherImportWh: integer,
  otherExportWh: integer,
  purchaseCostMicro: money,
  saleProceedsMicro: money,
  chargeMicro: money,
  creditMicro: money,
  splitChargeMicro: money,
  splitCreditMicro: money,
  rebateMicro: money,
});

/**
 * Rising intervals; `oldest` is the first interval that this gateway can tell of, `next` the `after` of the following
 * page, 0 when there is none.
 */
export interface Statements {
  readonly height: number;
  readonly oldest: number;
  readonly statements: readonly StatementView[];
  readonly next: number;
}

export const Statements: Reader<Statements> = document<Statements>({
  height: integer,
  oldest: integer,
  statements: listOf(StatementView),
  next: integer,
});

/**
 * A border between two zones, or (`second` null) the link of a feeder to its zone, in one interval. What it carries
 * each way, what trades send over it on balance (`net_wh`, above zero from `first` to `second`, or from the feeder
 * into its zone), and what is still free each way: never below zero, also where capacity was lowered. Null
 * capacities: nobody has limited it.
 */
export interface LinkView {
  readonly first: number;
  readonly second: number | null;
  readonly forwardWh: number | null;
  readonly backwardWh: number | null;
  readonly netWh: number;
  readonly forwardFreeWh: number | null;
  readonly backwardFreeWh: number | null;
}

export const LinkView: Reader<LinkView> = document<LinkView>({
  first: integer,
  second: orNull(integer),
  forwardWh: orNull(integer),
  backwardWh: orNull(integer),
  netWh: integer,
  forwardFreeWh: orNull(integer),
  backwardFreeWh: orNull(integer),
});

/**
 * A zone in one interval: what waits there (of icebergs what shows), what its portfolios sold and bought, and the
 * best limits of its own orders. `last_price_micro`: what the energy of the last trade was worth in the zone, which
 * is the seller's price, and the wheeling of borders on top where it came over some. `price_micro` is the auction's,
 * once there is one. `limited_feeders` counts those whose links have a limit.
 */
export interface ZoneState {
  readonly zone: number;
  readonly orders: number;
  readonly wantedWh: number;
  readonly offeredWh: number;
  readonly bestBidMicro: bigint | null;
  readonly bestAskMicro: bigint | null;
  readonly lastPriceMicro: bigint | null;
  readonly priceMicro: bigint | null;
  readonly soldWh: number;
  readonly boughtWh: number;
  readonly feeders: number;
  readonly limitedFeeders: number;
}

export const ZoneState: Reader<ZoneState> = document<ZoneState>({
  zone: integer,
  orders: integer,
  wantedWh: integer,
  offeredWh: integer,
  bestBidMicro: orNull(money),
  bestAskMicro: orNull(money),
  lastPriceMicro: orNull(money),
  priceMicro: orNull(money),
  soldWh: integer,
  boughtWh: integer,
  feeders: integer,
  limitedFeeders: integer,
});

/**
 * Zones and borders of one interval, as trades have used them up. `closed`: the gate has closed, nothing new is heard
 * of it.
 */
export interface NetworkView {
  readonly interval: number;
  readonly height: number;
  readonly timeMs: number;
  readonly closed: boolean;
  readonly zones: readonly ZoneState[];
  readonly borders: readonly LinkView[];
}

export const NetworkView: Reader<NetworkView> = document<NetworkView>({
  interval: integer,
  height: integer,
  timeMs: integer,
  closed: flag,
  zones: listOf(ZoneState),
  borders: listOf(LinkView),
});

/** A feeder in one interval: what waits there, and its link to the zone, null where it has no limit. */
export interface FeederState {
  readonly feeder: number;
  readonly name: string;
  readonly orders: number;
  readonly wantedWh: number;
  readonly offeredWh: number;
  readonly bestBidMicro: bigint | null;
  readonly bestAskMicro: bigint | null;
  readonly link: LinkView | null;
}

export const FeederState: Reader<FeederState> = document<FeederState>({
  feeder: integer,
  name: text,
  orders: integer,
  wantedWh: integer,
  offeredWh: integer,
  bestBidMicro: orNull(money),
  bestAskMicro: orNull(money),
  link: orNull(LinkView),
});

/** The feeders of one zone, rising. `next` is the `after` of the following page, null when there is none. */
export interface ZoneFeeders {
  readonly interval: number;
  readonly height: number;
  readonly timeMs: number;
  readonly zone: number;
  readonly feeders: readonly FeederState[];
  readonly next: number | null;
}

export const ZoneFeeders: Reader<ZoneFeeders> = document<ZoneFeeders>({
  interval: integer,
  height: integer,
  timeMs: integer,
  zone: integer,
  feeders: listOf(FeederState),
  next: orNull(integer),
});

/** What a zone's price and quantities would have been, or are. */
export interface ZoneMoment {
  readonly zone: number;
  readonly priceMicro: bigint;
  readonly soldWh: number;
  readonly boughtWh: number;
}

export const ZoneMoment: Reader<ZoneMoment> = document<ZoneMoment>({
  zone: integer,
  priceMicro: money,
  soldWh: integer,
  boughtWh: integer,
});

/** What the auction would have been after one block; zones that are not listed had no price. */
export interface CallMoment {
  readonly height: number;
  readonly timeMs: number;
  readonly orders: number;
  readonly zones: readonly ZoneMoment[];
}

export const CallMoment: Reader<CallMoment> = document<CallMoment>({
  height: integer,
  timeMs: integer,
  orders: integer,
  zones: listOf(ZoneMoment),
});

/**
 * How the indicative outcome changed block by block while this gateway followed, oldest first; of a long call not
 * every block. Blocks that changed nothing are left out.
 */
export interface CallHistory {
  readonly interval: number;
  readonly height: number;
  readonly moments: readonly CallMoment[];
}

export const CallHistory: Reader<CallHistory> = document<CallHistory>({
  interval: integer,
  height: integer,
  moments: listOf(CallMoment),
});

/**
 * What is offered and wanted at one price of the place: a sale's limit; a purchase's limit less the wheeling that it
 * pays in any case.
 */
export interface CurveStep {
  readonly priceMicro: bigint;
  readonly offeredWh: number;
  readonly wantedWh: number;
}

export const CurveStep: Reader<CurveStep> = document<CurveStep>({
  priceMicro: money,
  offeredWh: integer,
  wantedWh: integer,
});

/**
 * Supply and demand of a zone, or of a feeder in it whose link has a limit: steps rise by price. `thinned`: so many
 * prices that neighbours are added up under the higher one.
 */
export interface PlaceCurves {
  readonly zone: number;
  readonly feeder: number | null;
  readonly thinned: boolean;
  readonly steps: readonly CurveStep[];
}

export const PlaceCurves: Reader<PlaceCurves> = document<PlaceCurves>({
  zone: integer,
  feeder: orNull(integer),
  thinned: flag,
  steps: listOf(CurveStep),
});

/**
 * The orders of an auction as curves, after the block `as_of` (0: this gateway has seen none): while orders collect
 * those of now, later the last that were seen.
 */
export interface CallCurves {
  readonly interval: number;
  readonly height: number;
  readonly asOf: number;
  readonly places: readonly PlaceCurves[];
}

export const CallCurves: Reader<CallCurves> = document<CallCurves>({
  interval: integer,
  height: integer,
  asOf: integer,
  places: listOf(PlaceCurves),
});

/**
 * A topic: `blocks`, `trades`, `book:{interval}`, `auction:{interval}` (an `AuctionView` each block from the call
 * phase until it is final), `network:{interval}` (a `NetworkView` with each block that changed it),
 * `prices:{interval}` (a `PricesView` whenever one changes, until the gate) or `account`. `after` is the last
 * sequence one has of it.
 */
export interface Subscription {
  readonly topic: string;
  readonly after?: number | null;
}

/**
 * What a listener may say. `token` (of a session) comes before or with the first `account`; `pong` answers a ping.
 */
export interface StreamRequest {
  readonly subscribe?: readonly Subscription[];
  readonly unsubscribe?: readonly string[];
  readonly token?: string | null;
  readonly pong?: boolean | null;
}

/**
 * What a listener hears of a topic. `kind`: `snapshot` (all there is; forget what you have) or `update`. `sequence`
 * is the height it tells of; of an update, `previous` is the sequence before it in the topic: if it is greater than
 * the last one heard, something was missed.
 */
export interface StreamMessage {
  readonly topic: string;
  readonly kind: string;
  readonly sequence: number;
  readonly previous: number;
  readonly data: unknown;
}

export const StreamMessage: Reader<StreamMessage> = document<StreamMessage>({
  topic: text,
  kind: text,
  sequence: integer,
  previous: integer,
  data: anything,
});

/** What was asked and is not done; `topic` may be empty. */
export interface StreamProblem {
  readonly topic: string;
  readonly kind: string;
  readonly problem: Problem;
}

export const StreamProblem: Reader<StreamProblem> = document<StreamProblem>({
  topic: text,
  kind: text,
  problem: Problem,
});

/** Sent while there is nothing else to say; answer it. */
export interface StreamPing {
  readonly kind: string;
  readonly sequence: number;
}

export const StreamPing: Reader<StreamPing> = document<StreamPing>({
  kind: text,
  sequence: integer,
});

/** Of the topic `trades`. */
export interface TradesEvent {
  readonly trades: readonly TradeView[];
}

export const TradesEvent: Reader<TradesEvent> = document<TradesEvent>({
  trades: listOf(TradeView),
});

/**
 * Of a book: the levels that changed, with what is there now (quantity 0: gone; a snapshot has all), and the checksum
 * over all levels after that (`checksum_of`). `closed`: the gate has closed, no more will come.
 */
export interface BookEvent {
  readonly interval: number;
  readonly checksum: string;
  readonly bids: readonly Level[];
  readonly asks: readonly Level[];
  readonly closed: boolean;
}

export const BookEvent: Reader<BookEvent> = document<BookEvent>({
  interval: integer,
  checksum: text,
  bids: listOf(Level),
  asks: listOf(Level),
  closed: optional(flag, false),
});

/** A trade of one's own order, from its side. */
export interface OwnTradeView {
  readonly clientId: string;
  readonly side: string;
  readonly trade: TradeView;
}

export const OwnTradeView: Reader<OwnTradeView> = document<OwnTradeView>({
  clientId: text,
  side: text,
  trade: TradeView,
});

/**
 * Of one's own account: how it stands, the orders that changed (a snapshot: those that are open, and the last that
 * are gone), and one's trades in the block.
 */
export interface AccountEvent {
  readonly account: AccountView;
  readonly orders: readonly OrderView[];
  readonly trades: readonly OwnTradeView[];
}

export const AccountEvent: Reader<AccountEvent> = document<AccountEvent>({
  account: AccountView,
  orders: listOf(OrderView),
  trades: listOf(OwnTradeView),
});

/**
 * Sums over portfolios: energy as metered and contracted, `bill_micro` (purchases - proceeds + charge - credit) and
 * `old_bill_micro`, what the very same meter readings would have cost without the market: import at the tariff less
 * export at the buy-back, each rounded down as settlement does for who never trades. Negative bills are income.
 * `statements` counts those added up here, `estimated` and `corrected` how many of them were not simply measured.
 */
export interface CommunitySums {
  readonly statements: number;
  readonly estimated: number;
  readonly corrected: number;
  readonly importWh: number;
  readonly exportWh: number;
  readonly soldWh: number;
  readonly boughtWh: number;
  readonly undeliveredWh: number;
  readonly unusedWh: number;
  readonly otherImportWh: number;
  readonly otherExportWh: number;
  readonly billMicro: bigint;
  readonly oldBillMicro: bigint;
}

export const CommunitySums: Reader<CommunitySums> = document<CommunitySums>({
  statements: integer,
  estimated: integer,
  corrected: integer,
  importWh: integer,
  exportWh: integer,
  soldWh: integer,
  boughtWh: integer,
  undeliveredWh: integer,
  unusedWh: integer,
  otherImportWh: integer,
  otherExportWh: integer,
  billMicro: money,
  oldBillMicro: money,
});

/**
 * One settled interval, summed over all portfolios; `sites` of them have a meter. `mean_price_micro` is energy value
 * by energy of its trades, rounded down; null without trades, and when this gateway did not see them all.
 */
export interface CommunityInterval {
  readonly statements: number;
  readonly estimated: number;
  readonly corrected: number;
  readonly importWh: number;
  readonly exportWh: number;
  readonly soldWh: number;
  readonly boughtWh: number;
  readonly undeliveredWh: number;
  readonly unusedWh: number;
  readonly otherImportWh: number;
  readonly otherExportWh: number;
  readonly billMicro: bigint;
  readonly oldBillMicro: bigint;
  readonly interval: number;
  readonly deliveryMs: number;
  readonly sites: number;
  readonly tariffMicro: bigint;
  readonly buyBackMicro: bigint;
  readonly meanPriceMicro: bigint | null;
}

export const CommunityInterval: Reader<CommunityInterval> = document<CommunityInterval>({
  statements: integer,
  estimated: integer,
  corrected: integer,
  importWh: integer,
  exportWh: integer,
  soldWh: integer,
  boughtWh: integer,
  undeliveredWh: integer,
  unusedWh: integer,
  otherImportWh: integer,
  otherExportWh: integer,
  billMicro: money,
  oldBillMicro: money,
  interval: integer,
  deliveryMs: integer,
  sites: integer,
  tariffMicro: money,
  buyBackMicro: money,
  meanPriceMicro: orNull(money),
});

/**
 * Settled intervals, rising. Where fewer than `sites_min` sites were metered nothing is published: `withheld` counts
 * such intervals in this page. `oldest` is the first interval that this gateway has sums of (0: none yet), `next` the
 * `start` of the following page, 0 when there is none.
 */
export interface Community {
  readonly height: number;
  readonly timeMs: number;
  readonly sitesMin: number;
  readonly oldest: number;
  readonly withheld: number;
  readonly intervals: readonly CommunityInterval[];
  readonly next: number;
}

export const Community: Reader<Community> = document<Community>({
  height: integer,
  timeMs: integer,
  sitesMin: integer,
  oldest: integer,
  withheld: integer,
  intervals: listOf(CommunityInterval),
  next: integer,
});

/** A portfolio whose owner agreed to be shown, under this name. `saved_micro` = old bill - bill. */
export interface ShownHome {
  readonly name: string;
  readonly portfolio: string;
  readonly intervals: number;
  readonly importWh: number;
  readonly exportWh: number;
  readonly soldWh: number;
  readonly boughtWh: number;
  readonly billMicro: bigint;
  readonly oldBillMicro: bigint;
  readonly savedMicro: bigint;
}

export const ShownHome: Reader<ShownHome> = document<ShownHome>({
  name: text,
  portfolio: text,
  intervals: integer,
  importWh: integer,
  exportWh: integer,
  soldWh: integer,
  boughtWh: integer,
  billMicro: money,
  oldBillMicro: money,
  savedMicro: money,
});

/**
 * What the market was worth since `since` (an interval; 0 when nothing is settled yet) up to and with `until`.
 * `saved`, `lost` and `even` count portfolios by their bill against their old one. Counts and `sums` are null while
 * fewer than `sites_min` sites are metered. `showcase` holds those who agreed, by name; everybody else is in the sums
 * only. It stays empty where one or two others would be left over as the difference to the sums (in a market with a
 * faucet all meters are recordings, and nobody has to be hidden).
 */
export interface Savings {
  readonly height: number;
  readonly timeMs: number;
  readonly since: number;
  readonly until: number;
  readonly sitesMin: number;
  readonly portfolios: number;
  readonly saved: number | null;
  readonly lost: number | null;
  readonly even: number | null;
  readonly sums: CommunitySums | null;
  readonly showcase: readonly ShownHome[];
}

export const Savings: Reader<Savings> = document<Savings>({
  height: integer,
  timeMs: integer,
  since: integer,
  until: integer,
  sitesMin: integer,
  portfolios: integer,
  saved: orNull(integer),
  lost: orNull(integer),
  even: orNull(integer),
  sums: orNull(CommunitySums),
  showcase: listOf(ShownHome),
});

/**
 * Something that the text may mean. `kind`: `block` (`id` is its height), `transaction`, `account` (`id` as it was
 * given), `interval` (`id` is its number). `height` of blocks and transactions, else null; `time_ms` of blocks and
 * intervals (start of delivery), else null.
 */
export interface SearchHit {
  readonly kind: string;
  readonly id: string;
  readonly height: number | null;
  readonly timeMs: number | null;
}

export const SearchHit: Reader<SearchHit> = document<SearchHit>({
  kind: text,
  id: text,
  height: orNull(integer),
  timeMs: orNull(integer),
});

/** Everything that fits; an empty list when nothing does. */
export interface SearchResults {
  readonly hits: readonly SearchHit[];
}

export const SearchResults: Reader<SearchResults> = document<SearchResults>({
  hits: listOf(SearchHit),
});

/**
 * One version of the market's terms, and the open or not yet final intervals that opened with it (null: none has, it
 * is for those that open next). Prices per kWh; fees in millionths of the energy value.
 */
export interface TermsView {
  readonly version: number;
  readonly firstInterval: number | null;
  readonly lastInterval: number | null;
  readonly onPeakMicro: bigint;
  readonly offPeakMicro: bigint;
  readonly buyBackMicro: bigint;
  readonly undeliveredSpreadMicro: bigint;
  readonly unusedSpreadMicro: bigint;
  readonly gridFeePpm: number;
  readonly tradingFeePpm: number;
  readonly wheelingBaseMicro: bigint;
  readonly wheelingFeederMicro: bigint;
  readonly wheelingBorderMicro: bigint;
  readonly tickMicro: bigint;
  readonly orderWhMin: number;
  readonly gateMs: number;
  readonly callPhaseMs: number;
  readonly meteringDeadlineMs: number;
  readonly correctionMs: number;
  readonly arrearsLimitMicro: bigint;
  readonly bandPpm: number;
  readonly haltMs: number;
  readonly referenceWh: number;
}

export const TermsView: Reader<TermsView> = document<TermsView>({
  version: integer,
  firstInterval: orNull(integer),
  lastInterval: orNull(integer),
  onPeakMicro: money,
  offPeakMicro: money,
  buyBackMicro: money,
  undeliveredSpreadMicro: money,
  unusedSpreadMicro: money,
  gridFeePpm: integer,
  tradingFeePpm: integer,
  wheelingBaseMicro: money,
  wheelingFeederMicro: money,
  wheelingBorderMicro: money,
  tickMicro: money,
  orderWhMin: integer,
  gateMs: integer,
  callPhaseMs: integer,
  meteringDeadlineMs: integer,
  correctionMs: integer,
  arrearsLimitMicro: money,
  bandPpm: integer,
  haltMs: integer,
  referenceWh: integer,
});

/**
 * When the tariff is on-peak, in Bangkok time (UTC + 7 h): on `weekdays` (Monday is 1) from a minute of the day up to
 * another; never on `holidays` (dates as YYYY-MM-DD).
 */
export interface TariffCalendar {
  readonly weekdays: readonly number[];
  readonly onPeakFromMinute: number;
  readonly onPeakToMinute: number;
  readonly holidays: readonly string[];
}

export const TariffCalendar: Reader<TariffCalendar> = document<TariffCalendar>({
  weekdays: listOf(integer),
  onPeakFromMinute: integer,
  onPeakToMinute: integer,
  holidays: listOf(text),
});

/**
 * The terms of the interval that is running, the next ones if others are to come, and what does not change with them.
 * VAT stands on bills only.
 */
export interface TermsInForce {
  readonly height: number;
  readonly timeMs: number;
  readonly current: TermsView;
  readonly next: TermsView | null;
  readonly calendar: TariffCalendar;
  readonly vatPermille: number;
}

export const TermsInForce: Reader<TermsInForce> = document<TermsInForce>({
  height: integer,
  timeMs: integer,
  current: TermsView,
  next: orNull(TermsView),
  calendar: TariffCalendar,
  vatPermille: integer,
});

/** A bidding zone, its distributor's account, and the zones it borders on. */
export interface ZoneView {
  readonly zone: number;
  readonly name: string;
  readonly distributor: string;
  readonly neighbours: readonly number[];
}

export const ZoneView: Reader<ZoneView> = document<ZoneView>({
  zone: integer,
  name: text,
  distributor: text,
  neighbours: listOf(integer),
});

/** A feeder below a zone. */
export interface FeederView {
  readonly feeder: number;
  readonly zone: number;
  readonly name: string;
}

export const FeederView: Reader<FeederView> = document<FeederView>({
  feeder: integer,
  zone: integer,
  name: text,
});

/** Rising numbers. */
export interface Places {
  readonly zones: readonly ZoneView[];
  readonly feeders: readonly FeederView[];
}

export const Places: Reader<Places> = document<Places>({
  zones: listOf(ZoneView),
  feeders: listOf(FeederView),
});

/**
 * What anybody may know of an account: no balance, no portfolio. All but `account` and `exists` are null or empty for
 * one that does not exist. `licence`: none, sandbox, prosumer, supplier, dealer; `kyc`: none, pending, verified,
 * revoked; `trades` says whether both, and no suspension, let it trade now. `roles`: offices it holds (also `bank`,
 * `attester`, `distributor`). `keys_hash` is over algorithm, threshold and keys, which the chain does not hold.
 */
export interface PublicAccount {
  readonly account: string;
  readonly exists: boolean;
  readonly height: number;
  readonly participant: string | null;
  readonly licence: string | null;
  readonly kyc: string | null;
  readonly trades: boolean | null;
  readonly roles: readonly string[];
  readonly keysHash: string | null;
  readonly nonceHighest: number | null;
}

export const PublicAccount: Reader<PublicAccount> = document<PublicAccount>({
  account: text,
  exists: flag,
  height: integer,
  participant: optional(orNull(text), null),
  licence: optional(orNull(text), null),
  kyc: optional(orNull(text), null),
  trades: optional(orNull(flag), null),
  roles: optional(listOf(text), []),
  keysHash: optional(orNull(text), null),
  nonceHighest: optional(orNull(integer), null),
});

/**
 * The purchases of a bill, part by part: energy value + grid fee + wheeling + trading fee = `purchase_cost_micro`,
 * exactly.
 */
export interface PurchaseSplit {
  readonly energyMicro: bigint;
  readonly gridFeeMicro: bigint;
  readonly wheelingMicro: bigint;
  readonly tradingFeeMicro: bigint;
}

export const PurchaseSplit: Reader<PurchaseSplit> = document<PurchaseSplit>({
  energyMicro: money,
  gridFeeMicro: money,
  wheelingMicro: money,
  tradingFeeMicro: money,
});

/** The sales of a bill: energy value - trading fee = `sale_proceeds_micro`, exactly. */
export interface SaleSplit {
  readonly energyMicro: bigint;
  readonly tradingFeeMicro: bigint;
}

export const SaleSplit: Reader<SaleSplit> = document<SaleSplit>({
  energyMicro: money,
  tradingFeeMicro: money,
});

/**
 * Statements added up. Paid: `purchase_cost_micro` (`purchases` splits it, null when this gateway no longer knows all
 * those trades), `other_import_micro` (at the tariff), `undelivered_micro`. Earned: `sale_proceeds_micro` (`sales`
 * splits it), `other_export_micro` (at the buy-back), `unused_micro`. What an aggregator's split took and gave are
 * `split_charge_micro` and `split_credit_micro`; `rebate_micro` is a maker's part of trading fees, earned too.
 * `bill_micro` = paid - earned, to the last unit what the ledger moved. `old_bill_micro` is that of the same readings
 * without the market (all import at the tariff less all export at the buy-back), `saved_micro` = old bill - bill. VAT
 * is on what is paid, not on what is earned, rounded down for each day; no WATT moves for it. `estimated` and
 * `corrected` count statements that were not simply measured.
 */
export interface BillLines {
  readonly intervals: number;
  readonly estimated: number;
  readonly corrected: number;
  readonly importWh: number;
  readonly exportWh: number;
  readonly boughtWh: number;
  readonly soldWh: number;
  readonly otherImportWh: number;
  readonly otherExportWh: number;
  readonly undeliveredWh: number;
  readonly unusedWh: number;
  readonly purchaseCostMicro: bigint;
  readonly purchases: PurchaseSplit | null;
  readonly otherImportMicro: bigint;
  readonly undeliveredMicro: bigint;
  readonly saleProceedsMicro: bigint;
  readonly sales: SaleSplit | null;
  readonly otherExportMicro: bigint;
  readonly unusedMicro: bigint;
  readonly splitChargeMicro: bigint;
  readonly splitCreditMicro: bigint;
  readonly rebateMicro: bigint;
  readonly billMicro: bigint;
  readonly vatMicro: bigint;
  readonly billWithVatMicro: bigint;
  readonly oldImportMicro: bigint;
  readonly oldExportMicro: bigint;
  readonly oldBillMicro: bigint;
  readonly oldVatMicro: bigint;
  readonly oldBillWithVatMicro: bigint;
  readonly savedMicro: bigint;
  readonly savedWithVatMicro: bigint;
}

export const BillLines: Reader<BillLines> = document<BillLines>({
  intervals: integer,
  estimated: integer,
  corrected: integer,
  importWh: integer,
  exportWh: integer,
  boughtWh: integer,
  soldWh: integer,
  otherImportWh: integer,
  otherExportWh: integer,
  undeliveredWh: integer,
  unusedWh: integer,
  purchaseCostMicro: money,
  purchases: orNull(PurchaseSplit),
  otherImportMicro: money,
  undeliveredMicro: money,
  saleProceedsMicro: money,
  sales: orNull(SaleSplit),
  otherExportMicro: money,
  unusedMicro: money,
  splitChargeMicro: money,
  splitCreditMicro: money,
  rebateMicro: money,
  billMicro: money,
  vatMicro: money,
  billWithVatMicro: money,
  oldImportMicro: money,
  oldExportMicro: money,
  oldBillMicro: money,
  oldVatMicro: money,
  oldBillWithVatMicro: money,
  savedMicro: money,
  savedWithVatMicro: money,
});

/** One day in Bangkok (YYYY-MM-DD). */
export interface BillDay {
  readonly intervals: number;
  readonly estimated: number;
  readonly corrected: number;
  readonly importWh: number;
  readonly exportWh: number;
  readonly boughtWh: number;
  readonly soldWh: number;
  readonly otherImportWh: number;
  readonly otherExportWh: number;
  readonly undeliveredWh: number;
  readonly unusedWh: number;
  readonly purchaseCostMicro: bigint;
  readonly purchases: PurchaseSplit | null;
  readonly otherImportMicro: bigint;
  readonly undeliveredMicro: bigint;
  readonly saleProceedsMicro: bigint;
  readonly sales: SaleSplit | null;
  readonly otherExportMicro: bigint;
  readonly unusedMicro: bigint;
  readonly splitChargeMicro: bigint;
  readonly splitCreditMicro: bigint;
  readonly rebateMicro: bigint;
  readonly billMicro: bigint;
  readonly vatMicro: bigint;
  readonly billWithVatMicro: bigint;
  readonly oldImportMicro: bigint;
  readonly oldExportMicro: bigint;
  readonly oldBillMicro: bigint;
  readonly oldVatMicro: bigint;
  readonly oldBillWithVatMicro: bigint;
  readonly savedMicro: bigint;
  readonly savedWithVatMicro: bigint;
  readonly day: string;
}

export const BillDay: Reader<BillDay> = document<BillDay>({
  intervals: integer,
  estimated: integer,
  corrected: integer,
  importWh: integer,
  exportWh: integer,
  boughtWh: integer,
  soldWh: integer,
  otherImportWh: integer,
  otherExportWh: integer,
  undeliveredWh: integer,
  unusedWh: integer,
  purchaseCostMicro: money,
  purchases: orNull(PurchaseSplit),
  otherImportMicro: money,
  undeliveredMicro: money,
  saleProceedsMicro: money,
  sales: orNull(SaleSplit),
  otherExportMicro: money,
  unusedMicro: money,
  splitChargeMicro: money,
  splitCreditMicro: money,
  rebateMicro: money,
  billMicro: money,
  vatMicro: money,
  billWithVatMicro: money,
  oldImportMicro: money,
  oldExportMicro: money,
  oldBillMicro: money,
  oldVatMicro: money,
  oldBillWithVatMicro: money,
  savedMicro: money,
  savedWithVatMicro: money,
  day: text,
});

/**
 * One's own bill, a line for each day that has statements, and the sum of these lines. `left_out` counts statements
 * of which this gateway no longer knows the tariff, and which are in no sum.
 */
export interface Bill {
  readonly account: string;
  readonly height: number;
  readonly firstDay: string;
  readonly lastDay: string;
  readonly vatPermille: number;
  readonly leftOut: number;
  readonly days: readonly BillDay[];
  readonly total: BillLines;
}

export const Bill: Reader<Bill> = document<Bill>({
  account: text,
  height: integer,
  firstDay: text,
  lastDay: text,
  vatPermille: integer,
  leftOut: integer,
  days: listOf(BillDay),
  total: BillLines,
});

/**
 * Whether this market has a faucet, and whether it is open; `sentence` says why not, or what it is. `profiles` are
 * the sites to choose from, `money_micro` the play money, `visitors` how many came of at most `visitors_max`.
 * `ends_ms` is when the recorded days are over.
 */
export interface FaucetView {
  readonly exists: boolean;
  readonly open: boolean;
  readonly sentence: string;
  readonly profiles: readonly string[];
  readonly moneyMicro: bigint;
  readonly visitors: number;
  readonly visitorsMax: number;
  readonly endsMs: number;
}

export const FaucetView: Reader<FaucetView> = document<FaucetView>({
  exists: flag,
  open: flag,
  sentence: text,
  profiles: optional(listOf(text), []),
  moneyMicro: optional(money, 0n),
  visitors: optional(integer, 0),
  visitorsMax: optional(integer, 0),
  endsMs: optional(integer, 0),
});

/**
 * Who wants to join: a challenge of `POST /v1/challenges` for the account that these keys open, signed by them, and
 * which site: `solar-home` or `flat`.
 */
export interface FaucetRequest {
  readonly challenge: string;
  readonly auth: AuthDocument;
  readonly profile: string;
}

/**
 * Where a visitor's meter rows come from: the recorded rows of `home`, so many days earlier, times `permille` / 1000
 * (rounded down); `solar` says whether its PV counts too.
 */
export interface Recording {
  readonly home: string;
  readonly daysEarlier: number;
  readonly permille: number;
  readonly solar: boolean;
}

export const Recording: Reader<Recording> = document<Recording>({
  home: text,
  daysEarlier: integer,
  permille: integer,
  solar: flag,
});

/**
 * A visitor's account. `transactions`: the registration and the gift, to be waited for (`GET /v1/transactions/{id}`);
 * `joined` once both are in blocks. `first_interval` is the first that is metered, null while the registration is in
 * no block.
 */
export interface FaucetAnswer {
  readonly account: string;
  readonly participant: string;
  readonly portfolio: string;
  readonly profile: string;
  readonly joined: boolean;
  readonly transactions: readonly string[];
  readonly moneyMicro: bigint;
  readonly feeder: number;
  readonly importW: number;
  readonly solarW: number;
  readonly recording: Recording;
  readonly firstInterval: number | null;
}

export const FaucetAnswer: Reader<FaucetAnswer> = document<FaucetAnswer>({
  account: text,
  participant: text,
  portfolio: text,
  profile: text,
  joined: flag,
  transactions: listOf(text),
  moneyMicro: money,
  feeder: integer,
  importW: integer,
  solarW: integer,
  recording: Recording,
  firstInterval: orNull(integer),
});

/**
 * A record as it was after block `height`: its canonical bytes, or null if there was none. `written`: the block that
 * left it so, or `since`, where this node's history begins, if that was earlier; null if there was never such a
 * record.
 */
export interface PastRecord {
  readonly height: number;
  readonly since: number;
  readonly value: string | null;
  readonly written: number | null;
}

export const PastRecord: Reader<PastRecord> = document<PastRecord>({
  height: integer,
  since: integer,
  value: orNull(text),
  written: orNull(integer),
});

/** What block `height` left: canonical bytes, or null if it took the record away. */
export interface RecordVersion {
  readonly height: number;
  readonly value: string | null;
}

export const RecordVersion: Reader<RecordVersion> = document<RecordVersion>({
  height: integer,
  value: orNull(text),
});

/**
 * Versions of one record, oldest first. This node's history reaches from block `since` to `until`; the next page
 * begins with `first` = `following`, 0: there is none.
 */
export interface RecordVersions {
  readonly since: number;
  readonly until: number;
  readonly versions: readonly RecordVersion[];
  readonly following: number;
}

export const RecordVersions: Reader<RecordVersions> = document<RecordVersions>({
  since: integer,
  until: integer,
  versions: listOf(RecordVersion),
  following: integer,
});

/**
 * `kind`: by what it is shared (`metered`: import and export, `export`, `equal`). Of a gain the aggregator keeps
 * `commission_ppm`, of a loss it bears `loss_ppm`.
 */
export interface SplitRuleView {
  readonly kind: string;
  readonly commissionPpm: number;
  readonly lossPpm: number;
}

export const SplitRuleView: Reader<SplitRuleView> = document<SplitRuleView>({
  kind: text,
  commissionPpm: integer,
  lossPpm: integer,
});

/** A portfolio that sites on its feeder can join. `members` counts those of the last day that has a roster. */
export interface Aggregator {
  readonly portfolio: string;
  readonly feeder: number;
  readonly zone: number;
  readonly rule: SplitRuleView;
  readonly members: number;
}

export const Aggregator: Reader<Aggregator> = document<Aggregator>({
  portfolio: text,
  feeder: integer,
  zone: integer,
  rule: SplitRuleView,
  members: integer,
});

/**
 * All of them, in the order of their names; `first_interval`: from when on somebody who is taken in now is a member,
 * or one who leaves now is none.
 */
export interface Aggregators {
  readonly height: number;
  readonly firstInterval: number;
  readonly aggregators: readonly Aggregator[];
}

export const Aggregators: Reader<Aggregators> = document<Aggregators>({
  height: integer,
  firstInterval: integer,
  aggregators: listOf(Aggregator),
});

/**
 * `state`: `asked` (the aggregator has not answered), or `member` from `first` on, until `until` (0: no end is
 * known). `member` is the site's own portfolio.
 */
export interface MembershipView {
  readonly member: string;
  readonly portfolio: string;
  readonly state: string;
  readonly first: number;
  readonly until: number;
}

export const MembershipView: Reader<MembershipView> = document<MembershipView>({
  member: text,
  portfolio: text,
  state: text,
  first: integer,
  until: integer,
});

/**
 * What a portfolio's members can do together from `first` on, until the next roster. Powers in W; `export_w` by
 * source.
 */
export interface RosterView {
  readonly first: number;
  readonly members: number;
  readonly importW: number;
  readonly exportW: readonly number[];
}

export const RosterView: Reader<RosterView> = document<RosterView>({
  first: integer,
  members: integer,
  importW: integer,
  exportW: listOf(integer),
});

/**
 * One's own portfolio. Powers are those of its site; of one with members `rosters` has them. `memberships`: of a site
 * its own, of a portfolio with members all of its members'.
 */
export interface OwnPortfolio {
  readonly portfolio: string;
  readonly feeder: number;
  readonly hasSite: boolean;
  readonly importW: number;
  readonly exportW: readonly number[];
  readonly rule: SplitRuleView | null;
  readonly rosters: readonly RosterView[];
  readonly memberships: readonly MembershipView[];
}

export const OwnPortfolio: Reader<OwnPortfolio> = document<OwnPortfolio>({
  portfolio: text,
  feeder: integer,
  hasSite: flag,
  importW: integer,
  exportW: listOf(integer),
  rule: orNull(SplitRuleView),
  rosters: listOf(RosterView),
  memberships: listOf(MembershipView),
});

/** In the order of their names. */
export interface OwnPortfolios {
  readonly height: number;
  readonly portfolios: readonly OwnPortfolio[];
}

export const OwnPortfolios: Reader<OwnPortfolios> = document<OwnPortfolios>({
  height: integer,
  portfolios: listOf(OwnPortfolio),
});

/**
 * How an interval was split, for one whose portfolio it is or who is a member. The portfolio's `gain_micro` (below
 * zero: its loss) beyond the members' old bills; the aggregator's `commission_micro` and the members' `shared_micro`
 * have its sign. `member` is one's own site, empty for the aggregator: its `weight` of `weights` in all gives
 * `share_micro`; `old_bill_micro` is what it owes without the market (all members' of the aggregator's line).
 */
export interface SplitView {
  readonly interval: number;
  readonly portfolio: string;
  readonly member: string;
  readonly gainMicro: bigint;
  readonly commissionMicro: bigint;
  readonly sharedMicro: bigint;
  readonly weights: number;
  readonly weight: number;
  readonly oldBillMicro: bigint;
  readonly shareMicro: bigint;
}

export const SplitView: Reader<SplitView> = document<SplitView>({
  interval: integer,
  portfolio: text,
  member: text,
  gainMicro: money,
  commissionMicro: money,
  sharedMicro: money,
  weights: integer,
  weight: integer,
  oldBillMicro: money,
  shareMicro: money,
});

/**
 * Rising intervals that are not final yet; statements have the results for longer. `next`: the `after` of the
 * following page, 0 when there is none.
 */
export interface SplitsOfAccount {
  readonly height: number;
  readonly splits: readonly SplitView[];
  readonly next: number;
}

export const SplitsOfAccount: Reader<SplitsOfAccount> = document<SplitsOfAccount>({
  height: integer,
  splits: listOf(SplitView),
  next: integer,
});

/**
 * Of the time that counts (`window_ms` before trading at once ends; 0: all since it opened) for at least
 * `presence_per_mille` a purchase and a sale of `size_wh` each, at most `spread_micro` apart. For it `rebate_ppm` of
 * the trading fees of both sides where the maker's orders rested.
 */
export interface MakerTermsView {
  readonly spreadMicro: bigint;
  readonly sizeWh: number;
  readonly presencePerMille: number;
  readonly windowMs: number;
  readonly rebatePpm: number;
  readonly makersMax: number;
  readonly missesMax: number;
}

export const MakerTermsView: Reader<MakerTermsView> = document<MakerTermsView>({
  spreadMicro: money,
  sizeWh: integer,
  presencePerMille: integer,
  windowMs: integer,
  rebatePpm: integer,
  makersMax: integer,
  missesMax: integer,
});

/** Of one zone, as it counts for intervals that open from now on. With `makers_max` 0 it has ended. */
export interface MakerProgrammeView {
  readonly zone: number;
  readonly terms: MakerTermsView;
}

export const MakerProgrammeView: Reader<MakerProgrammeView> = document<MakerProgrammeView>({
  zone: integer,
  terms: MakerTermsView,
});

/**
 * A maker from interval `first` on, until `until` (0: no end is known; `end` says why: `left`, `ended` by the
 * operator, `dropped`). `kept`, `missed` and `excused` count intervals that are not final yet, about a day;
 * `fees_micro` and `rebate_micro` are their sums. Of `counting` intervals the time counts now, in `present` of them
 * it is there.
 */
export interface MakerView {
  readonly portfolio: string;
  readonly zone: number;
  readonly feeder: number;
  readonly first: number;
  readonly until: number;
  readonly end: string;
  readonly missedInARow: number;
  readonly kept: number;
  readonly missed: number;
  readonly excused: number;
  readonly feesMicro: bigint;
  readonly rebateMicro: bigint;
  readonly counting: number;
  readonly present: number;
}

export const MakerView: Reader<MakerView> = document<MakerView>({
  portfolio: text,
  zone: integer,
  feeder: integer,
  first: integer,
  until: integer,
  end: text,
  missedInARow: integer,
  kept: integer,
  missed: integer,
  excused: integer,
  feesMicro: money,
  rebateMicro: money,
  counting: integer,
  present: integer,
});

/** All of them, by zone and by when they enrolled. */
export interface Makers {
  readonly height: number;
  readonly programmes: readonly MakerProgrammeView[];
  readonly makers: readonly MakerView[];
}

export const Makers: Reader<Makers> = document<Makers>({
  height: integer,
  programmes: listOf(MakerProgrammeView),
  makers: listOf(MakerView),
});

/**
 * One interval. `verdict`: `open` until its gate, then `kept`, `missed`, or `excused` (nobody could trade in any of
 * its time). Of `counted_ms` so far it was there for `present_ms`, and is there now or not (`is_present`).
 */
export interface MakerDutyView {
  readonly interval: number;
  readonly verdict: string;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly countedMs: number;
  readonly presentMs: number;
  readonly isPresent: boolean;
  readonly asked: MakerTermsView;
  readonly feesMicro: bigint;
  readonly rebateMicro: bigint;
}

export const MakerDutyView: Reader<MakerDutyView> = document<MakerDutyView>({
  interval: integer,
  verdict: text,
  fromMs: integer,
  untilMs: integer,
  countedMs: integer,
  presentMs: integer,
  isPresent: flag,
  asked: MakerTermsView,
  feesMicro: money,
  rebateMicro: money,
});

/** Rising intervals, of those that are not final yet. */
export interface MakerDuties {
  readonly height: number;
  readonly portfolio: string;
  readonly zone: number;
  readonly duties: readonly MakerDutyView[];
}

export const MakerDuties: Reader<MakerDuties> = document<MakerDuties>({
  height: integer,
  portfolio: text,
  zone: integer,
  duties: listOf(MakerDutyView),
});

/**
 * What one's own orders show of an open interval, among the best prices that count, and what is `missing`: of
 * `buy_size`, `sell_size` and `spread`. `spread_micro`: how far apart the size stands, if it stands on both sides.
 */
export interface OwnDutyView {
  readonly interval: number;
  readonly portfolio: string;
  readonly isPresent: boolean;
  readonly countedMs: number;
  readonly presentMs: number;
  readonly untilMs: number;
  readonly asked: MakerTermsView;
  readonly shownBuyWh: number;
  readonly shownSellWh: number;
  readonly spreadMicro: bigint | null;
  readonly missing: readonly string[];
}

export const OwnDutyView: Reader<OwnDutyView> = document<OwnDutyView>({
  interval: integer,
  portfolio: text,
  isPresent: flag,
  countedMs: integer,
  presentMs: integer,
  untilMs: integer,
  asked: MakerTermsView,
  shownBuyWh: integer,
  shownSellWh: integer,
  spreadMicro: orNull(money),
  missing: listOf(text),
});

/**
 * Rising intervals, first those whose time counts now or next; `next`: the `after` of the following page, 0 when
 * there is none.
 */
export interface OwnDuties {
  readonly height: number;
  readonly duties: readonly OwnDutyView[];
  readonly next: number;
}

export const OwnDuties: Reader<OwnDuties> = document<OwnDuties>({
  height: integer,
  duties: listOf(OwnDutyView),
  next: integer,
});

/**
 * What the members decided about themselves. `group_seats`: of grid, trade, finance, regulation, technology;
 * `zone_seats`: at most so many seats in one zone; `epoch_changes`: seats that change in one epoch.
 */
export interface TermsOfConsortium {
  readonly seatPower: number;
  readonly seatsMin: number;
  readonly seatsMax: number;
  readonly groupSeats: readonly number[];
  readonly zoneSeats: number;
  readonly epochBlocks: number;
  readonly epochChanges: number;
  readonly checkpointBlocks: number;
  readonly observedBlocks: number;
  readonly endorsements: number;
  readonly stakeMicro: bigint;
  readonly slashPpm: number;
  readonly appealMs: number;
  readonly voteMs: number;
  readonly demoteBelowPpm: number;
  readonly promoteFromPpm: number;
}

export const TermsOfConsortium: Reader<TermsOfConsortium> = document<TermsOfConsortium>({
  seatPower: integer,
  seatsMin: integer,
  seatsMax: integer,
  groupSeats: listOf(integer),
  zoneSeats: integer,
  epochBlocks: integer,
  epochChanges: integer,
  checkpointBlocks: integer,
  observedBlocks: integer,
  endorsements: integer,
  stakeMicro: money,
  slashPpm: integer,
  appealMs: integer,
  voteMs: integer,
  demoteBelowPpm: integer,
  promoteFromPpm: integer,
});

/**
 * The running epoch, up to and with `to_height`. `doubtful` blocks: so much of the power was away that nobody can say
 * who; `in_doubt`: so many of them that the epoch, if it ended now, would change no reputation.
 */
export interface EpochView {
  readonly number: number;
  readonly fromHeight: number;
  readonly toHeight: number;
  readonly changes: number;
  readonly doubtful: number;
  readonly inDoubt: boolean;
}

export const EpochView: Reader<EpochView> = document<EpochView>({
  number: integer,
  fromHeight: integer,
  toHeight: integer,
  changes: integer,
  doubtful: integer,
  inDoubt: flag,
});

/**
 * How a member's node voted: of so many blocks, `absent` votes and `missed` turns to propose. `available_ppm` = 1 -
 * absent / blocks; null while nothing is counted.
 */
export interface ConductView {
  readonly blocks: number;
  readonly absent: number;
  readonly missed: number;
  readonly availablePpm: number | null;
}

export const ConductView: Reader<ConductView> = document<ConductView>({
  blocks: integer,
  absent: integer,
  missed: integer,
  availablePpm: orNull(integer),
});

/** A member, and what it is called; an empty name for one that is forgotten. */
export interface NamedMember {
  readonly member: string;
  readonly name: string;
}

export const NamedMember: Reader<NamedMember> = document<NamedMember>({
  member: text,
  name: text,
});

/** What a member loses then, unless it is reinstated before. */
export interface PenaltyView {
  readonly amountMicro: bigint;
  readonly dueMs: number;
}

export const PenaltyView: Reader<PenaltyView> = document<PenaltyView>({
  amountMicro: money,
  dueMs: integer,
});

/**
 * An organisation of the consortium, or one that asks to be. `group`: grid, trade, finance, regulation, technology;
 * `tier`: primary, secondary, technical, emergency; `standing`: candidate, reserve, seated, suspended, left. `power`
 * is that of its key in consensus now: a change of standing becomes one of the power as soon as the caps allow.
 * `epoch` is its conduct in the running epoch, `total` in all that are counted; `bad` batches and `checkpoints` named
 * are those of the running epoch. `observed_blocks`: how long it follows without a gap. `misdeeds` counts what is
 * proved against its node and not forgotten.
 */
export interface MemberView {
  readonly member: string;
  readonly name: string;
  readonly taxId: string;
  readonly group: string;
  readonly tier: string;
  readonly zone: number;
  readonly standing: string;
  readonly sinceMs: number;
  readonly account: string;
  readonly node: string;
  readonly licensed: boolean;
  readonly consensusKey: string;
  readonly power: number;
  readonly reputationPpm: number;
  readonly epoch: ConductView;
  readonly total: ConductView;
  readonly bad: number;
  readonly checkpoints: number;
  readonly observedBlocks: number;
  readonly stakeMicro: bigint;
  readonly penalty: PenaltyView | null;
  readonly misdeeds: number;
  readonly attestedBy: readonly NamedMember[];
  readonly endorsedBy: readonly NamedMember[];
}

export const MemberView: Reader<MemberView> = document<MemberView>({
  member: text,
  name: text,
  taxId: text,
  group: text,
  tier: text,
  zone: integer,
  standing: text,
  sinceMs: integer,
  account: text,
  node: text,
  licensed: flag,
  consensusKey: text,
  power: integer,
  reputationPpm: integer,
  epoch: ConductView,
  total: ConductView,
  bad: integer,
  checkpoints: integer,
  observedBlocks: integer,
  stakeMicro: money,
  penalty: orNull(PenaltyView),
  misdeeds: integer,
  attestedBy: listOf(NamedMember),
  endorsedBy: listOf(NamedMember),
});

/**
 * What was proved: `duplicate_vote`, `light_client_attack` (consensus found these, `reporter` is null) or
 * `bad_batch`. `height` is where it happened; of a batch, where it was reported.
 */
export interface MisdeedView {
  readonly kind: string;
  readonly height: number;
  readonly reportedMs: number;
  readonly reporter: string | null;
}

export const MisdeedView: Reader<MisdeedView> = document<MisdeedView>({
  kind: text,
  height: integer,
  reportedMs: integer,
  reporter: orNull(text),
});

/** One member whole: hashes of its documents, and the newest that is proved against its node, newest first. */
export interface MemberDetail {
  readonly member: string;
  readonly name: string;
  readonly taxId: string;
  readonly group: string;
  readonly tier: string;
  readonly zone: number;
  readonly standing: string;
  readonly sinceMs: number;
  readonly account: string;
  readonly node: string;
  readonly licensed: boolean;
  readonly consensusKey: string;
  readonly power: number;
  readonly reputationPpm: number;
  readonly epoch: ConductView;
  readonly total: ConductView;
  readonly bad: number;
  readonly checkpoints: number;
  readonly observedBlocks: number;
  readonly stakeMicro: bigint;
  readonly penalty: PenaltyView | null;
  readonly misdeeds: number;
  readonly attestedBy: readonly NamedMember[];
  readonly endorsedBy: readonly NamedMember[];
  readonly height: number;
  readonly timeMs: number;
  readonly documents: readonly string[];
  readonly proved: readonly MisdeedView[];
}

export const MemberDetail: Reader<MemberDetail> = document<MemberDetail>({
  member: text,
  name: text,
  taxId: text,
  group: text,
  tier: text,
  zone: integer,
  standing: text,
  sinceMs: integer,
  account: text,
  node: text,
  licensed: flag,
  consensusKey: text,
  power: integer,
  reputationPpm: integer,
  epoch: ConductView,
  total: ConductView,
  bad: integer,
  checkpoints: integer,
  observedBlocks: integer,
  stakeMicro: money,
  penalty: orNull(PenaltyView),
  misdeeds: integer,
  attestedBy: listOf(NamedMember),
  endorsedBy: listOf(NamedMember),
  height: integer,
  timeMs: integer,
  documents: listOf(text),
  proved: listOf(MisdeedView),
});

/** A key that votes in consensus now; `member` is null where no member owns it. */
export interface ValidatorView {
  readonly address: string;
  readonly publicKey: string;
  readonly power: number;
  readonly node: string;
  readonly member: NamedMember | null;
}

export const ValidatorView: Reader<ValidatorView> = document<ValidatorView>({
  address: text,
  publicKey: text,
  power: integer,
  node: text,
  member: orNull(NamedMember),
});

/** A node that the chain knows, and whether it may sign batches. */
export interface NodeView {
  readonly node: string;
  readonly publicKey: string;
  readonly licensed: boolean;
  readonly member: NamedMember | null;
}

export const NodeView: Reader<NodeView> = document<NodeView>({
  node: text,
  publicKey: text,
  licensed: flag,
  member: orNull(NamedMember),
});

/**
 * One line of the table of powers: which tiers do the act or propose it, and, of what is voted on, which tiers vote
 * and what share of them must say yes (`share_of` parts of `share_in`, or `more_than` these). `while_frozen`: also
 * while the market is stopped. `act`: attest, endorse (said alone: no voters), or what is proposed.
 */
export interface PowerView {
  readonly act: string;
  readonly tiers: readonly string[];
  readonly voters: readonly string[];
  readonly shareOf: number | null;
  readonly shareIn: number | null;
  readonly moreThan: boolean;
  readonly whileFrozen: boolean;
}

export const PowerView: Reader<PowerView> = document<PowerView>({
  act: text,
  tiers: listOf(text),
  voters: listOf(text),
  shareOf: orNull(integer),
  shareIn: orNull(integer),
  moreThan: flag,
  whileFrozen: flag,
});

/**
 * Who runs the chain. Without a consortium (`consortium` is false) an office sets nodes and validators: then there
 * are no terms, no epoch, no members and no powers. `frozen_since_ms`: the market is stopped since then.
 */
export interface Authorities {
  readonly height: number;
  readonly timeMs: number;
  readonly consortium: boolean;
  readonly frozenSinceMs: number | null;
  readonly terms: TermsOfConsortium | null;
  readonly epoch: EpochView | null;
  readonly members: readonly MemberView[];
  readonly powers: readonly PowerView[];
  readonly validators: readonly ValidatorView[];
  readonly nodes: readonly NodeView[];
}

export const Authorities: Reader<Authorities> = document<Authorities>({
  height: integer,
  timeMs: integer,
  consortium: flag,
  frozenSinceMs: orNull(integer),
  terms: orNull(TermsOfConsortium),
  epoch: orNull(EpochView),
  members: listOf(MemberView),
  powers: listOf(PowerView),
  validators: listOf(ValidatorView),
  nodes: listOf(NodeView),
});

/** A member's vote. `counts`: it has a say now, and the account that voted still speaks for it. */
export interface VoteView {
  readonly member: string;
  readonly name: string;
  readonly yes: boolean;
  readonly counts: boolean;
}

export const VoteView: Reader<VoteView> = document<VoteView>({
  member: text,
  name: text,
  yes: flag,
  counts: flag,
});

/** The value of a proposal `license`. */
export interface LicenceView {
  readonly publicKey: string;
  readonly licensed: boolean;
}

export const LicenceView: Reader<LicenceView> = document<LicenceView>({
  publicKey: text,
  licensed: flag,
});

/** The value of a proposal `replace`: who speaks for the member from then on, and its keys. */
export interface ReplacementView {
  readonly account: string;
  readonly nodeKey: string;
  readonly consensusKey: string;
}

export const ReplacementView: Reader<ReplacementView> = document<ReplacementView>({
  account: text,
  nodeKey: text,
  consensusKey: text,
});

/**
 * `act`: admit, remove, reinstate, set_terms, license, freeze, resume, replace. `subject` is a member, of `license` a
 * node, else empty; `subject_name` the member's name, if it is known. `outcome`: open, carried, lost, or failed
 * (carried, and could not be done: `code` and `code_name` say why). While it is open, `needed` of `voters` must say
 * yes; null once it is decided. `closes_ms` is null while a freeze puts the end off. `yes` and `no` are the votes
 * that count while it is open, and all of them after.
 */
export interface ProposalView {
  readonly number: number;
  readonly act: string;
  readonly subject: string;
  readonly subjectName: string;
  readonly terms: TermsOfConsortium | null;
  readonly licence: LicenceView | null;
  readonly replacement: ReplacementView | null;
  readonly proposer: NamedMember;
  readonly openedMs: number;
  readonly closesMs: number | null;
  readonly outcome: string;
  readonly code: number;
  readonly codeName: string;
  readonly needed: number | null;
  readonly voters: number | null;
  readonly yes: number;
  readonly no: number;
  readonly votes: readonly VoteView[];
}

export const ProposalView: Reader<ProposalView> = document<ProposalView>({
  number: integer,
  act: text,
  subject: text,
  subjectName: text,
  terms: orNull(TermsOfConsortium),
  licence: orNull(LicenceView),
  replacement: orNull(ReplacementView),
  proposer: NamedMember,
  openedMs: integer,
  closesMs: orNull(integer),
  outcome: text,
  code: integer,
  codeName: text,
  needed: orNull(integer),
  voters: orNull(integer),
  yes: integer,
  no: integer,
  votes: listOf(VoteView),
});

/** Newest first. `next` is the `before` of the following page, 0 when there is none. */
export interface Proposals {
  readonly height: number;
  readonly timeMs: number;
  readonly proposals: readonly ProposalView[];
  readonly next: number;
}

export const Proposals: Reader<Proposals> = document<Proposals>({
  height: integer,
  timeMs: integer,
  proposals: listOf(ProposalView),
  next: integer,
});

/**
 * How the chain served: time that blocks cover, blocks, late ones, what was lost by those, rounds in which no block
 * was agreed. `available_ppm` = 1 - lost / elapsed; null while no time is covered.
 */
export interface Service {
  readonly elapsedMs: number;
  readonly blocks: number;
  readonly late: number;
  readonly lostMs: number;
  readonly rounds: number;
  readonly availablePpm: number | null;
}

export const Service: Reader<Service> = document<Service>({
  elapsedMs: integer,
  blocks: integer,
  late: integer,
  lostMs: integer,
  rounds: integer,
  availablePpm: orNull(integer),
});

/** One day (UTC): days since the epoch, and as YYYY-MM-DD. */
export interface ServiceDayView {
  readonly elapsedMs: number;
  readonly blocks: number;
  readonly late: number;
  readonly lostMs: number;
  readonly rounds: number;
  readonly availablePpm: number | null;
  readonly day: number;
  readonly date: string;
}

export const ServiceDayView: Reader<ServiceDayView> = document<ServiceDayView>({
  elapsedMs: integer,
  blocks: integer,
  late: integer,
  lostMs: integer,
  rounds: integer,
  availablePpm: orNull(integer),
  day: integer,
  date: text,
});

/**
 * The network against its goal, `target_ppm`. `total` is over all days that the chain remembers, `days` are rising;
 * `next` is the `before` of the page of earlier days, 0 when there is none. Empty where one node alone makes the
 * blocks, since nobody else waits for it.
 */
export interface Availability {
  readonly height: number;
  readonly timeMs: number;
  readonly targetPpm: number;
  readonly total: Service;
  readonly days: readonly ServiceDayView[];
  readonly next: number;
}

export const Availability: Reader<Availability> = document<Availability>({
  height: integer,
  timeMs: integer,
  targetPpm: integer,
  total: Service,
  days: listOf(ServiceDayView),
  next: integer,
});

/** Of the block's form, and of the application. */
export interface CometVersion {
  readonly block: string;
  readonly app: string;
}

export const CometVersion: Reader<CometVersion> = document<CometVersion>({
  block: text,
  app: optional(text, "0"),
});

/** In how many parts a block is sent, and their root. */
export interface CometParts {
  readonly total: number;
  readonly hash: string;
}

export const CometParts: Reader<CometParts> = document<CometParts>({
  total: integer,
  hash: text,
});

/** A block as votes name it. */
export interface CometBlockId {
  readonly hash: string;
  readonly parts: CometParts;
}

export const CometBlockId: Reader<CometBlockId> = document<CometBlockId>({
  hash: text,
  parts: CometParts,
});

/** A header of the consensus engine. */
export interface CometHeader {
  readonly version: CometVersion;
  readonly chainId: string;
  readonly height: string;
  readonly time: string;
  readonly lastBlockId: CometBlockId;
  readonly lastCommitHash: string;
  readonly dataHash: string;
  readonly validatorsHash: string;
  readonly nextValidatorsHash: string;
  readonly consensusHash: string;
  readonly appHash: string;
  readonly lastResultsHash: string;
  readonly evidenceHash: string;
  readonly proposerAddress: string;
}

export const CometHeader: Reader<CometHeader> = document<CometHeader>({
  version: CometVersion,
  chainId: text,
  height: text,
  time: text,
  lastBlockId: CometBlockId,
  lastCommitHash: text,
  dataHash: text,
  validatorsHash: text,
  nextValidatorsHash: text,
  consensusHash: text,
  appHash: text,
  lastResultsHash: text,
  evidenceHash: text,
  proposerAddress: text,
});

/** One validator's place in a commit; flag 1: absent, 2: for the block, 3: for none. */
export interface CometVote {
  readonly blockIdFlag: number;
  readonly validatorAddress: string;
  readonly timestamp: string;
  readonly signature: string | null;
}

export const CometVote: Reader<CometVote> = document<CometVote>({
  blockIdFlag: integer,
  validatorAddress: text,
  timestamp: text,
  signature: optional(orNull(text), null),
});

/** The votes that made a block final. */
export interface CometCommit {
  readonly height: string;
  readonly round: number;
  readonly blockId: CometBlockId;
  readonly signatures: readonly CometVote[];
}

export const CometCommit: Reader<CometCommit> = document<CometCommit>({
  height: text,
  round: integer,
  blockId: CometBlockId,
  signatures: listOf(CometVote),
});

/** A header with its commit. */
export interface CometSignedHeader {
  readonly header: CometHeader;
  readonly commit: CometCommit;
}

export const CometSignedHeader: Reader<CometSignedHeader> = document<CometSignedHeader>({
  header: CometHeader,
  commit: CometCommit,
});

/**
 * What CometBFT's `/commit` answers: a header and the votes that made it final. `canonical`: these very votes stand
 * in the next block.
 */
export interface CommitAnswer {
  readonly signedHeader: CometSignedHeader;
  readonly canonical: boolean;
}

export const CommitAnswer: Reader<CommitAnswer> = document<CommitAnswer>({
  signedHeader: CometSignedHeader,
  canonical: flag,
});

/** A public key and its kind. */
export interface CometKey {
  readonly type: string;
  readonly value: string;
}

export const CometKey: Reader<CometKey> = document<CometKey>({
  type: text,
  value: text,
});

/** Who votes, and with which weight. */
export interface CometValidator {
  readonly address: string;
  readonly pubKey: CometKey;
  readonly votingPower: string;
  readonly proposerPriority: string;
}

export const CometValidator: Reader<CometValidator> = document<CometValidator>({
  address: text,
  pubKey: CometKey,
  votingPower: text,
  proposerPriority: optional(text, "0"),
});

/** What CometBFT's `/validators` answers: `count` of a height's `total` validators, in CometBFT's order. */
export interface ValidatorsAnswer {
  readonly blockHeight: string;
  readonly validators: readonly CometValidator[];
  readonly count: string;
  readonly total: string;
}

export const ValidatorsAnswer: Reader<ValidatorsAnswer> = document<ValidatorsAnswer>({
  blockHeight: text,
  validators: listOf(CometValidator),
  count: text,
  total: text,
});
