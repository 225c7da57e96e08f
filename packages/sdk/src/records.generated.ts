// Made by packages/sdk/generate.py from the Python sources: change those, then run it again.
import { bytes, FLAG, list, number, record, text, tuple, whole } from "./kinds.js";
import type { RecordKind } from "./kinds.js";
import { MakerTerms, Message, SplitRule, Terms } from "./messages.generated.js";
import type { Table } from "./tables.js";

const SMALL = number(255);
const WHOLE = whole(2n ** 62n);
const INTEGER = whole(2n ** 64n - 1n, -(2n ** 63n));

/**
 * Who signed: the account's whole key list, and one signature for each of `threshold` of them. Keys ascend strictly;
 * signatures are (index of the key, signature), indexes ascending.
 */
export interface Auth {
  readonly algorithm: number;
  readonly threshold: number;
  readonly keys: readonly Uint8Array[];
  readonly signatures: readonly (readonly [number, Uint8Array])[];
}

export const Auth: RecordKind<Auth> = record("Auth", {
  algorithm: SMALL,
  threshold: SMALL,
  keys: list(bytes(32), 0, 16),
  signatures: list(tuple(SMALL, bytes(64)), 0, 16),
});

/** What travels: the exact bytes that were signed, and the signatures. */
export interface Envelope {
  readonly body: Uint8Array;
  readonly auth: Auth;
}

export const Envelope: RecordKind<Envelope> = record("Envelope", {
  body: bytes(),
  auth: Auth,
});

/** What was signed. `messages` succeed or fail together. */
export interface Body {
  readonly chain: string;
  readonly sender: Uint8Array;
  readonly nonce: bigint;
  readonly expiresMs: bigint;
  readonly messages: readonly Message[];
}

export const Body: RecordKind<Body> = record("Body", {
  chain: text(1, 64),
  sender: bytes(32),
  nonce: WHOLE,
  expiresMs: WHOLE,
  messages: list(Message, 1, 64),
});

/**
 * The outcome. `transaction` is the hash of the body, or, for one that was not its account's, of all its bytes.
 * `failed` is the index of the message that failed.
 */
export interface Receipt {
  readonly transaction: Uint8Array;
  readonly code: bigint;
  readonly failed: bigint;
  readonly results: readonly (readonly bigint[])[];
}

export const Receipt: RecordKind<Receipt> = record("Receipt", {
  transaction: bytes(),
  code: INTEGER,
  failed: INTEGER,
  results: list(list(INTEGER)),
});

/** What travels: the exact bytes of the header, and of the transactions under its root. */
export interface Batch {
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
  readonly transactions: readonly Uint8Array[];
}

export const Batch: RecordKind<Batch> = record("Batch", {
  header: bytes(),
  signature: bytes(64),
  transactions: list(bytes(), 1, 2000),
});

/** What the node signs. `root` is the Merkle root over the transactions' exact bytes. */
export interface BatchHeader {
  readonly chain: string;
  readonly author: Uint8Array;
  readonly sequence: bigint;
  readonly expiresMs: bigint;
  readonly root: Uint8Array;
}

export const BatchHeader: RecordKind<BatchHeader> = record("BatchHeader", {
  chain: text(1, 64),
  author: bytes(8),
  sequence: WHOLE,
  expiresMs: WHOLE,
  root: bytes(32),
});

/**
 * What a block says before it is executed. `app_hash_before` is the state it builds on, `commit_hash` the hash of
 * what it carries about how the block before was agreed, of zeros if nothing.
 */
export interface Header {
  readonly chain: string;
  readonly height: bigint;
  readonly timeMs: bigint;
  readonly proposer: Uint8Array;
  readonly previous: Uint8Array;
  readonly appHashBefore: Uint8Array;
  readonly batchesRoot: Uint8Array;
  readonly misbehaviourRoot: Uint8Array;
  readonly commitHash: Uint8Array;
}

export const Header: RecordKind<Header> = record("Header", {
  chain: text(),
  height: INTEGER,
  timeMs: INTEGER,
  proposer: bytes(),
  previous: bytes(),
  appHashBefore: bytes(),
  batchesRoot: bytes(),
  misbehaviourRoot: bytes(),
  commitHash: bytes(),
});

/** Evidence that consensus has checked: who, when, and with how much of the power that voted then. */
export interface Misbehaviour {
  readonly kind: number;
  readonly address: Uint8Array;
  readonly height: bigint;
  readonly timeMs: bigint;
  readonly totalPower: bigint;
  readonly power: bigint;
}

export const Misbehaviour: RecordKind<Misbehaviour> = record("Misbehaviour", {
  kind: SMALL,
  address: bytes(20),
  height: WHOLE,
  timeMs: WHOLE,
  totalPower: WHOLE,
  power: WHOLE,
});

/**
 * What a block carries about how the one before it was agreed: in which round, and whose votes it does not hold
 * (addresses ascending). A vote for no block is a vote.
 */
export interface LastCommit {
  readonly round: bigint;
  readonly absent: readonly Uint8Array[];
}

export const LastCommit: RecordKind<LastCommit> = record("LastCommit", {
  round: WHOLE,
  absent: list(bytes(20)),
});

/** What the block did, in the world's own units. */
export interface Summary {
  readonly tradedWh: bigint;
  readonly tradedMicro: bigint;
  readonly meteredImportWh: bigint;
  readonly meteredExportWh: bigint;
  readonly settledWh: bigint;
  readonly settledMicro: bigint;
  readonly voidedWh: bigint;
  readonly voidedMicro: bigint;
}

export const Summary: RecordKind<Summary> = record("Summary", {
  tradedWh: INTEGER,
  tradedMicro: INTEGER,
  meteredImportWh: INTEGER,
  meteredExportWh: INTEGER,
  settledWh: INTEGER,
  settledMicro: INTEGER,
  voidedWh: INTEGER,
  voidedMicro: INTEGER,
});

/** What the state says of the block that made it. */
export interface LastBlock {
  readonly chain: string;
  readonly protocol: bigint;
  readonly height: bigint;
  readonly timeMs: bigint;
  readonly headerHash: Uint8Array;
  readonly receiptsRoot: Uint8Array;
  readonly tradesRoot: Uint8Array;
  readonly summary: Summary;
}

export const LastBlock: RecordKind<LastBlock> = record("LastBlock", {
  chain: text(),
  protocol: INTEGER,
  height: INTEGER,
  timeMs: INTEGER,
  headerHash: bytes(),
  receiptsRoot: bytes(),
  tradesRoot: bytes(),
  summary: Summary,
});

/**
 * What an account signs to be let in (under `CHALLENGE_DOMAIN`): names the chain, so that it serves on no other one.
 * `seal` is the gateway's own mark that it made it; only the gateway that made it can tell.
 */
export interface Challenge {
  readonly chain: string;
  readonly account: Uint8Array;
  readonly random: Uint8Array;
  readonly expiresMs: bigint;
  readonly seal: Uint8Array;
}

export const Challenge: RecordKind<Challenge> = record("Challenge", {
  chain: text(),
  account: bytes(),
  random: bytes(),
  expiresMs: INTEGER,
  seal: bytes(),
});

/**
 * One fill, as it stands under the trades root of its block: what each side paid follows from it and from the terms
 * of its interval. `collateral_micro` is held of the seller for it. `zones`: all that the energy passes, the seller's
 * first, if it crosses borders. What an order trades in an auction it trades with the auction: then the other side is
 * nobody (`NOBODY`, and zeros for its order and portfolio), a purchase's `source` is its mask, and there is one such
 * record for each order that trades. `voids` is 0; or this takes back the trade of that number (`trade_number`),
 * which it repeats.
 */
export interface Trade {
  readonly interval: number;
  readonly buyer: Uint8Array;
  readonly buyerOrder: Uint8Array;
  readonly seller: Uint8Array;
  readonly sellerOrder: Uint8Array;
  readonly quantityWh: bigint;
  readonly priceMicro: bigint;
  readonly wheelingMicro: bigint;
  readonly takerSide: number;
  readonly source: number;
  readonly buyerPortfolio: Uint8Array;
  readonly sellerPortfolio: Uint8Array;
  readonly collateralMicro: bigint;
  readonly voids: bigint;
  readonly zones: readonly number[];
}

export const Trade: RecordKind<Trade> = record("Trade", {
  interval: number(4_294_967_295),
  buyer: bytes(32),
  buyerOrder: bytes(8),
  seller: bytes(32),
  sellerOrder: bytes(8),
  quantityWh: WHOLE,
  priceMicro: WHOLE,
  wheelingMicro: WHOLE,
  takerSide: SMALL,
  source: SMALL,
  buyerPortfolio: bytes(8),
  sellerPortfolio: bytes(8),
  collateralMicro: WHOLE,
  voids: WHOLE,
  zones: list(SMALL),
});

/** The value of `LICENSE`: the node's key, and whether it may sign batches. */
export interface NodeLicence {
  readonly publicKey: Uint8Array;
  readonly licensed: boolean;
}

export const NodeLicence: RecordKind<NodeLicence> = record("NodeLicence", {
  publicKey: bytes(32),
  licensed: FLAG,
});

/** The value of `REPLACE`: who speaks for the member from now on, and its keys. */
export interface Replacement {
  readonly account: Uint8Array;
  readonly nodeKey: Uint8Array;
  readonly consensusKey: Uint8Array;
}

export const Replacement: RecordKind<Replacement> = record("Replacement", {
  account: bytes(32),
  nodeKey: bytes(32),
  consensusKey: bytes(32),
});

/**
 * `nonce_gaps` has bit k set when nonce `nonce_highest - 1 - k` is still unused (big-endian bytes without leading
 * zeros: an account that counts up has none). Free balance = balance - held.
 */
export interface Account {
  readonly participant: Uint8Array;
  readonly keysHash: Uint8Array;
  readonly nonceHighest: bigint;
  readonly nonceGaps: Uint8Array;
  readonly balanceMicro: bigint;
  readonly heldMicro: bigint;
  readonly debtMicro: bigint;
}

export const Account: RecordKind<Account> = record("Account", {
  participant: bytes(),
  keysHash: bytes(),
  nonceHighest: INTEGER,
  nonceGaps: bytes(),
  balanceMicro: INTEGER,
  heldMicro: INTEGER,
  debtMicro: INTEGER,
});

/** Keys that an account gave up; until then they excuse the batch author who let them through. */
export interface RotatedKeys {
  readonly untilMs: bigint;
}

export const RotatedKeys: RecordKind<RotatedKeys> = record("RotatedKeys", {
  untilMs: INTEGER,
});

/** Keys that count from the next block. */
export interface PendingKeys {
  readonly keysHash: Uint8Array;
}

export const PendingKeys: RecordKind<PendingKeys> = record("PendingKeys", {
  keysHash: bytes(),
});

/** The key says everything. */
export interface Scheduled {
}

export const Scheduled: RecordKind<Scheduled> = record("Scheduled", {});

/** An item that failed, for people to look at: it never runs again by itself. */
export interface SetAside {
  readonly code: bigint;
  readonly height: bigint;
}

export const SetAside: RecordKind<SetAside> = record("SetAside", {
  code: INTEGER,
  height: INTEGER,
});

/**
 * A node that may sign batches. The key that it gave up last still counts for batches that expire by then, so that
 * none that was on its way is lost.
 */
export interface Node {
  readonly publicKey: Uint8Array;
  readonly licensed: boolean;
  readonly formerKey: Uint8Array;
  readonly formerUntilMs: bigint;
}

export const Node: RecordKind<Node> = record("Node", {
  publicKey: bytes(32),
  licensed: FLAG,
  formerKey: bytes(0, 32),
  formerUntilMs: WHOLE,
});

/** A batch that was in a block. */
export interface SeenBatch {
  readonly expiresMs: bigint;
}

export const SeenBatch: RecordKind<SeenBatch> = record("SeenBatch", {
  expiresMs: INTEGER,
});

/** `block_ms`: the interval at which blocks follow each other when nothing is wrong. */
export interface ConsensusTerms {
  readonly blockMs: bigint;
}

export const ConsensusTerms: RecordKind<ConsensusTerms> = record("ConsensusTerms", {
  blockMs: WHOLE,
});

/** One that votes with this power. `node` signs the batches of the same organisation. */
export interface Validator {
  readonly publicKey: Uint8Array;
  readonly power: number;
  readonly node: Uint8Array;
}

export const Validator: RecordKind<Validator> = record("Validator", {
  publicKey: bytes(32),
  power: number(1_000_000_000_000_000),
  node: bytes(8),
});

/** One validator of a height. */
export interface Voter {
  readonly address: Uint8Array;
  readonly power: number;
  readonly priority: bigint;
}

export const Voter: RecordKind<Voter> = record("Voter", {
  address: bytes(20),
  power: number(1_000_000_000_000_000),
  priority: whole(4611686018427387904n, -4611686018427387904n),
});

/** The validators of one height, in the order of addresses, as they are in its round 0; `proposer` has that turn. */
export interface Voters {
  readonly each: readonly Voter[];
  readonly proposer: Uint8Array;
}

export const Voters: RecordKind<Voters> = record("Voters", {
  each: list(Voter),
  proposer: bytes(20),
});

/**
 * Who voted on the last block, `height`, which was the block of `node`; and who comes and goes: `coming` for the
 * voters of the next height, `later` for those of the height after it.
 */
export interface Rotation {
  readonly height: bigint;
  readonly node: Uint8Array;
  readonly voters: Voters;
  readonly coming: readonly (readonly [Uint8Array, number])[];
  readonly later: readonly (readonly [Uint8Array, number])[];
}

export const Rotation: RecordKind<Rotation> = record("Rotation", {
  height: WHOLE,
  node: bytes(8),
  voters: Voters,
  coming: list(tuple(bytes(20), number(1_000_000_000_000_000))),
  later: list(tuple(bytes(20), number(1_000_000_000_000_000))),
});

/** The market is frozen since then. */
export interface Freeze {
  readonly sinceMs: bigint;
}

export const Freeze: RecordKind<Freeze> = record("Freeze", {
  sinceMs: WHOLE,
});

/** It was frozen until then. Key: since when (8 bytes). */
export interface PastFreeze {
  readonly untilMs: bigint;
}

export const PastFreeze: RecordKind<PastFreeze> = record("PastFreeze", {
  untilMs: WHOLE,
});

/** Supply, what vouches for it, and the two accounts (of several signers each) that may change it. */
export interface Money {
  readonly bank: Uint8Array;
  readonly attester: Uint8Array;
  readonly supplyMicro: bigint;
  readonly reservesMicro: bigint;
  readonly attestedMs: bigint;
}

export const Money: RecordKind<Money> = record("Money", {
  bank: bytes(32),
  attester: bytes(32),
  supplyMicro: WHOLE,
  reservesMicro: WHOLE,
  attestedMs: WHOLE,
});

/** A request that waits for the bank. Key: account ‖ reference. */
export interface Redemption {
  readonly amountMicro: bigint;
}

export const Redemption: RecordKind<Redemption> = record("Redemption", {
  amountMicro: WHOLE,
});

/** A minting that was done. Key: reference. */
export interface UsedReference {
  readonly amountMicro: bigint;
}

export const UsedReference: RecordKind<UsedReference> = record("UsedReference", {
  amountMicro: WHOLE,
});

/** Who holds an office. */
export interface Role {
  readonly account: Uint8Array;
}

export const Role: RecordKind<Role> = record("Role", {
  account: bytes(32),
});

/** A bidding zone: its distributor's account and the zones it borders on. */
export interface Zone {
  readonly name: string;
  readonly distributor: Uint8Array;
  readonly neighbours: readonly number[];
}

export const Zone: RecordKind<Zone> = record("Zone", {
  name: text(0, 32),
  distributor: bytes(32),
  neighbours: list(SMALL),
});

/** A feeder below a zone. */
export interface Feeder {
  readonly zone: number;
  readonly name: string;
}

export const Feeder: RecordKind<Feeder> = record("Feeder", {
  zone: SMALL,
  name: text(0, 32),
});

/**
 * A person or company, as a pseudonym. Equal groups other than 0 are related parties. `short_wh` and `long_wh` are a
 * dealer's licensed open position in one interval without a site.
 */
export interface Participant {
  readonly licence: number;
  readonly licenceUntilMs: bigint;
  readonly kyc: number;
  readonly kycUntilMs: bigint;
  readonly suspended: boolean;
  readonly group: bigint;
  readonly shortWh: bigint;
  readonly longWh: bigint;
}

export const Participant: RecordKind<Participant> = record("Participant", {
  licence: SMALL,
  licenceUntilMs: WHOLE,
  kyc: SMALL,
  kycUntilMs: WHOLE,
  suspended: FLAG,
  group: WHOLE,
  shortWh: WHOLE,
  longWh: WHOLE,
});

/**
 * What orders and positions name: the sites that one account trades together. Powers in W, `export_w` by source, are
 * those of its own site; one with members has none (`rosters.powers_at`).
 */
export interface Portfolio {
  readonly account: Uint8Array;
  readonly participant: Uint8Array;
  readonly feeder: number;
  readonly importW: number;
  readonly exportW: readonly [number, number, number, number, number, number, number];
  readonly site: Uint8Array;
}

export const Portfolio: RecordKind<Portfolio> = record("Portfolio", {
  account: bytes(32),
  participant: bytes(8),
  feeder: number(65_535),
  importW: number(100_000_000_000),
  exportW: tuple(number(100_000_000_000), number(100_000_000_000), number(100_000_000_000), number(100_000_000_000), number(100_000_000_000), number(100_000_000_000), number(100_000_000_000)),
  site: bytes(0, 8),
});

/** A connection point with its meter. */
export interface Site {
  readonly portfolio: Uint8Array;
  readonly feeder: number;
  readonly meter: Uint8Array;
}

export const Site: RecordKind<Site> = record("Site", {
  portfolio: bytes(8),
  feeder: number(65_535),
  meter: bytes(0, 8),
});

/** A meter signs its readings with its own key. */
export interface Meter {
  readonly publicKey: Uint8Array;
  readonly site: Uint8Array;
  readonly portfolio: Uint8Array;
}

export const Meter: RecordKind<Meter> = record("Meter", {
  publicKey: bytes(32),
  site: bytes(8),
  portfolio: bytes(8),
});

/** A site whose owner asked an aggregator to trade it, and waits. Key: the site's own portfolio. */
export interface JoinRequest {
  readonly portfolio: Uint8Array;
}

export const JoinRequest: RecordKind<JoinRequest> = record("JoinRequest", {
  portfolio: bytes(8),
});

/**
 * A site that an aggregator's portfolio trades. Key: the site's own portfolio ‖ first interval. `until` is the first
 * interval in which it is not, 0 while none is known.
 */
export interface Membership {
  readonly portfolio: Uint8Array;
  readonly until: bigint;
}

export const Membership: RecordKind<Membership> = record("Membership", {
  portfolio: bytes(8),
  until: WHOLE,
});

/**
 * Who is in a portfolio, ascending, and the sums of their powers in W. Key: portfolio ‖ first interval; it counts
 * until the next one does.
 */
export interface Roster {
  readonly members: readonly Uint8Array[];
  readonly importW: bigint;
  readonly exportW: readonly [bigint, bigint, bigint, bigint, bigint, bigint, bigint];
}

export const Roster: RecordKind<Roster> = record("Roster", {
  members: list(bytes(8)),
  importW: WHOLE,
  exportW: tuple(WHOLE, WHOLE, WHOLE, WHOLE, WHOLE, WHOLE, WHOLE),
});

/**
 * A site's battery. Key: the site's own portfolio, whose export power of the source storage it discharges with. The
 * loss is taken when it charges. `alone`: its meter sees nothing else.
 */
export interface Storage {
  readonly capacityWh: bigint;
  readonly chargeW: number;
  readonly efficiencyPpm: number;
  readonly alone: boolean;
}

export const Storage: RecordKind<Storage> = record("Storage", {
  capacityWh: WHOLE,
  chargeW: number(100_000_000_000),
  efficiencyPpm: number(1_000_000),
  alone: FLAG,
});

/**
 * How full a battery that stands alone was at the end of an interval, and its meter's registers then. Key: portfolio.
 */
export interface StorageLevel {
  readonly interval: bigint;
  readonly levelWh: bigint;
  readonly importWh: bigint;
  readonly exportWh: bigint;
}

export const StorageLevel: RecordKind<StorageLevel> = record("StorageLevel", {
  interval: WHOLE,
  levelWh: WHOLE,
  importWh: WHOLE,
  exportWh: WHOLE,
});

/** A key that a node gave up: it still answers for batches that expire by then. */
export interface FormerKey {
  readonly untilMs: bigint;
}

export const FormerKey: RecordKind<FormerKey> = record("FormerKey", {
  untilMs: WHOLE,
});

/**
 * What is proved against a node. `height` is where it happened; of a batch, which need not be in a block, where it
 * was reported. `reporter` is an account; empty if consensus found it.
 */
export interface Misdeed {
  readonly kind: number;
  readonly height: bigint;
  readonly reportedMs: bigint;
  readonly reporter: Uint8Array;
}

export const Misdeed: RecordKind<Misdeed> = record("Misdeed", {
  kind: SMALL,
  height: WHOLE,
  reportedMs: WHOLE,
  reporter: bytes(0, 32),
});

/**
 * An organisation of the consortium, or one that asks to be. Key: its participant. `account` speaks for it,
 * `staked_by` holds `stake_micro`. `since_ms`: of its standing; of one that has left, since it votes no more.
 * `rotated_height`: where it last replaced a key. `attested_by` and `endorsed_by` are members.
 */
export interface Member {
  readonly name: string;
  readonly taxId: string;
  readonly group: number;
  readonly tier: number;
  readonly zone: number;
  readonly standing: number;
  readonly sinceMs: bigint;
  readonly account: Uint8Array;
  readonly node: Uint8Array;
  readonly consensusKey: Uint8Array;
  readonly documents: readonly Uint8Array[];
  readonly stakeMicro: bigint;
  readonly stakedBy: Uint8Array;
  readonly rotatedHeight: bigint;
  readonly attestedBy: readonly Uint8Array[];
  readonly endorsedBy: readonly Uint8Array[];
}

export const Member: RecordKind<Member> = record("Member", {
  name: text(1, 120),
  taxId: text(13, 13),
  group: SMALL,
  tier: SMALL,
  zone: SMALL,
  standing: SMALL,
  sinceMs: WHOLE,
  account: bytes(32),
  node: bytes(8),
  consensusKey: bytes(32),
  documents: list(bytes(32), 1, 16),
  stakeMicro: WHOLE,
  stakedBy: bytes(32),
  rotatedHeight: WHOLE,
  attestedBy: list(bytes(8)),
  endorsedBy: list(bytes(8)),
});

/** Whose consensus key an address is or was. A key is one member's for ever. */
export interface KeyOwner {
  readonly member: Uint8Array;
}

export const KeyOwner: RecordKind<KeyOwner> = record("KeyOwner", {
  member: bytes(8),
});

/** What is proposed. Key: number (8 bytes). `code` says why a carried one failed. */
export interface Proposal {
  readonly act: number;
  readonly subject: Uint8Array;
  readonly value: Uint8Array;
  readonly proposer: Uint8Array;
  readonly openedMs: bigint;
  readonly closesMs: bigint;
  readonly outcome: number;
  readonly code: bigint;
}

export const Proposal: RecordKind<Proposal> = record("Proposal", {
  act: SMALL,
  subject: bytes(0, 8),
  value: bytes(0, 512),
  proposer: bytes(8),
  openedMs: WHOLE,
  closesMs: WHOLE,
  outcome: SMALL,
  code: WHOLE,
});

/** One member's vote. It counts while this account speaks for the member. Key: proposal ‖ member. */
export interface Ballot {
  readonly yes: boolean;
  readonly account: Uint8Array;
}

export const Ballot: RecordKind<Ballot> = record("Ballot", {
  yes: FLAG,
  account: bytes(32),
});

/**
 * What members decided about themselves; `terms.check_terms` has the bounds. Shares are in millionths. `group_seats`:
 * for each `Group`, in order. `zone_seats`: at most so many seats in one zone. `epoch_changes`: seats that change in
 * one epoch. `observed_blocks`: how long a candidate shows that it follows. `slash_ppm`: of the stake.
 */
export interface ConsortiumTerms {
  readonly seatPower: bigint;
  readonly seatsMin: bigint;
  readonly seatsMax: bigint;
  readonly groupSeats: readonly [number, number, number, number, number];
  readonly zoneSeats: bigint;
  readonly epochBlocks: bigint;
  readonly epochChanges: bigint;
  readonly checkpointBlocks: bigint;
  readonly observedBlocks: bigint;
  readonly endorsements: bigint;
  readonly stakeMicro: bigint;
  readonly slashPpm: bigint;
  readonly appealMs: bigint;
  readonly voteMs: bigint;
  readonly demoteBelowPpm: bigint;
  readonly promoteFromPpm: bigint;
}

export const ConsortiumTerms: RecordKind<ConsortiumTerms> = record("ConsortiumTerms", {
  seatPower: WHOLE,
  seatsMin: WHOLE,
  seatsMax: WHOLE,
  groupSeats: tuple(SMALL, SMALL, SMALL, SMALL, SMALL),
  zoneSeats: WHOLE,
  epochBlocks: WHOLE,
  epochChanges: WHOLE,
  checkpointBlocks: WHOLE,
  observedBlocks: WHOLE,
  endorsements: WHOLE,
  stakeMicro: WHOLE,
  slashPpm: WHOLE,
  appealMs: WHOLE,
  voteMs: WHOLE,
  demoteBelowPpm: WHOLE,
  promoteFromPpm: WHOLE,
});

/**
 * How a member's node did. Key: member. Of the running epoch: `from_height`, the first block that counts, `absent`
 * votes, `missed` proposals, `bad` batches, `checkpoints` named in time; of its whole time: `*_total` and
 * `blocks_total` in epochs that ended. `score_ppm` is the reputation.
 */
export interface Conduct {
  readonly scorePpm: bigint;
  readonly fromHeight: bigint;
  readonly absent: bigint;
  readonly missed: bigint;
  readonly bad: bigint;
  readonly checkpoints: bigint;
  readonly lastCheckpoint: bigint;
  readonly observedBlocks: bigint;
  readonly blocksTotal: bigint;
  readonly absentTotal: bigint;
  readonly missedTotal: bigint;
}

export const Conduct: RecordKind<Conduct> = record("Conduct", {
  scorePpm: WHOLE,
  fromHeight: WHOLE,
  absent: WHOLE,
  missed: WHOLE,
  bad: WHOLE,
  checkpoints: WHOLE,
  lastCheckpoint: WHOLE,
  observedBlocks: WHOLE,
  blocksTotal: WHOLE,
  absentTotal: WHOLE,
  missedTotal: WHOLE,
});

/**
 * The running one. `changes`: seats that changed in it; `changed_height`: the last block in which one did.
 * `doubtful`: blocks in which so much of the power was away that nobody can say who.
 */
export interface Epoch {
  readonly number: bigint;
  readonly fromHeight: bigint;
  readonly changes: bigint;
  readonly changedHeight: bigint;
  readonly doubtful: bigint;
  readonly lastDoubt: bigint;
}

export const Epoch: RecordKind<Epoch> = record("Epoch", {
  number: WHOLE,
  fromHeight: WHOLE,
  changes: WHOLE,
  changedHeight: WHOLE,
  doubtful: WHOLE,
  lastDoubt: WHOLE,
});

/** The name of the block at a checkpoint. Key: height (8 bytes). */
export interface Checkpoint {
  readonly headerHash: Uint8Array;
}

export const Checkpoint: RecordKind<Checkpoint> = record("Checkpoint", {
  headerHash: bytes(32),
});

/** What a member loses at `due_ms`, unless it is reinstated before. Key: member. */
export interface Penalty {
  readonly amountMicro: bigint;
  readonly dueMs: bigint;
}

export const Penalty: RecordKind<Penalty> = record("Penalty", {
  amountMicro: WHOLE,
  dueMs: WHOLE,
});

/**
 * How the chain served on a day (UTC): time that blocks cover, blocks, late ones, what was lost by those, rounds in
 * which no block was agreed. Key: days since the epoch (4 bytes).
 */
export interface ServiceDay {
  readonly elapsedMs: bigint;
  readonly blocks: bigint;
  readonly late: bigint;
  readonly lostMs: bigint;
  readonly rounds: bigint;
}

export const ServiceDay: RecordKind<ServiceDay> = record("ServiceDay", {
  elapsedMs: WHOLE,
  blocks: WHOLE,
  late: WHOLE,
  lostMs: WHOLE,
  rounds: WHOLE,
});

/** How many there were: their numbers go on from here. */
export interface ProposalCount {
  readonly count: bigint;
}

export const ProposalCount: RecordKind<ProposalCount> = record("ProposalCount", {
  count: WHOLE,
});

/**
 * What a link carries by default: (first interval, forward Wh, backward Wh) of each change that an open interval may
 * have opened with, the earliest first. Key: link.
 */
export interface Limit {
  readonly changes: readonly (readonly [bigint, bigint, bigint])[];
}

export const Limit: RecordKind<Limit> = record("Limit", {
  changes: list(tuple(WHOLE, WHOLE, WHOLE)),
});

/**
 * A link in one interval, from its first use on: what it carries each way, and what trades send over it on balance,
 * forward above zero. Key: interval ‖ link. On balance it may be more than it carries: capacity was lowered after the
 * trades.
 */
export interface Link {
  readonly forwardWh: bigint;
  readonly backwardWh: bigint;
  readonly netWh: bigint;
}

export const Link: RecordKind<Link> = record("Link", {
  forwardWh: WHOLE,
  backwardWh: WHOLE,
  netWh: whole(4611686018427387904n, -4611686018427387904n),
});

/**
 * Links of this interval have capacity again that were full: orders that rested apart may meet. Until the market has
 * seen to it, what comes in waits behind them. Key: interval.
 */
export interface Reopened {
}

export const Reopened: RecordKind<Reopened> = record("Reopened", {});

/** The version that intervals open with from now on. */
export interface TermsVersion {
  readonly version: bigint;
}

export const TermsVersion: RecordKind<TermsVersion> = record("TermsVersion", {
  version: WHOLE,
});

/** A delivery interval that is, or was, open. Prices in millionths of a WATT per kWh. */
export interface Interval {
  readonly terms: bigint;
  readonly tariffMicro: bigint;
  readonly gateMs: bigint;
  readonly phase: number;
}

export const Interval: RecordKind<Interval> = record("Interval", {
  terms: WHOLE,
  tariffMicro: WHOLE,
  gateMs: WHOLE,
  phase: SMALL,
});

/**
 * An open order. Its key is account ‖ client id. A seller's `source` is one source; a buyer's is a bit mask of the
 * sources it accepts. `price_micro` is the limit: what a seller gets in its zone, what a buyer pays delivered.
 * `place` is its rank in time. `display_wh`: of an iceberg, the size of its parts; `shown_wh`: what is left of the
 * part that can be met now; both 0 for an order that shows all of itself.
 */
export interface Order {
  readonly portfolio: Uint8Array;
  readonly participant: Uint8Array;
  readonly interval: number;
  readonly side: number;
  readonly priceMicro: bigint;
  readonly remainingWh: bigint;
  readonly source: number;
  readonly feeder: number;
  readonly place: bigint;
  readonly expiresMs: bigint;
  readonly quantityWh: bigint;
  readonly scope: number;
  readonly displayWh: bigint;
  readonly shownWh: bigint;
}

export const Order: RecordKind<Order> = record("Order", {
  portfolio: bytes(8),
  participant: bytes(8),
  interval: number(4_294_967_295),
  side: SMALL,
  priceMicro: WHOLE,
  remainingWh: WHOLE,
  source: SMALL,
  feeder: number(65_535),
  place: WHOLE,
  expiresMs: WHOLE,
  quantityWh: WHOLE,
  scope: SMALL,
  displayWh: WHOLE,
  shownWh: WHOLE,
});

/**
 * What a portfolio did in one interval. Key: interval ‖ portfolio. `purchase_cost_micro` is held of the account until
 * settlement, and so is `collateral_micro`.
 */
export interface Position {
  readonly soldWh: bigint;
  readonly boughtWh: bigint;
  readonly openSellWh: bigint;
  readonly openBuyWh: bigint;
  readonly saleValueMicro: bigint;
  readonly saleFeeMicro: bigint;
  readonly purchaseValueMicro: bigint;
  readonly purchaseCostMicro: bigint;
  readonly collateralMicro: bigint;
}

export const Position: RecordKind<Position> = record("Position", {
  soldWh: WHOLE,
  boughtWh: WHOLE,
  openSellWh: WHOLE,
  openBuyWh: WHOLE,
  saleValueMicro: WHOLE,
  saleFeeMicro: WHOLE,
  purchaseValueMicro: WHOLE,
  purchaseCostMicro: WHOLE,
  collateralMicro: WHOLE,
});

/** What trades of an interval owe to a payee other than the seller. Key: interval ‖ account. */
export interface Due {
  readonly amountMicro: bigint;
}

export const Due: RecordKind<Due> = record("Due", {
  amountMicro: WHOLE,
});

/** Most that PV can do, per mille of its capacity, for each quarter-hour of a day (Bangkok time). */
export interface SkyMonth {
  readonly perMille: readonly bigint[];
}

export const SkyMonth: RecordKind<SkyMonth> = record("SkyMonth", {
  perMille: list(WHOLE),
});

/** A day that is off-peak all day. Key: days since the epoch in Bangkok time. */
export interface Holiday {
}

export const Holiday: RecordKind<Holiday> = record("Holiday", {});

/**
 * Trades of a block that traded on a stale clock, until they have been looked at: those are voided whose gate does
 * not lie after `until_ms`, the time of the next block. Key: number of the first.
 */
export interface StaleTrades {
  readonly untilMs: bigint;
  readonly trades: readonly Uint8Array[];
}

export const StaleTrades: RecordKind<StaleTrades> = record("StaleTrades", {
  untilMs: WHOLE,
  trades: list(bytes()),
});

/**
 * How far the auction of an interval is, from its gate until all is booked. `stale_height`: orders of this block do
 * not take part (0: of none). `cursor`: the last order that was sorted or booked. `steps`: done of the solution.
 * `free`: (link, forward Wh, backward Wh) that counted when it began, in the order that decides between equals.
 * `halves_micro`: of the feeder part of wheeling, what is booked so far for the sellers' distributors.
 */
export interface Auction {
  readonly stage: number;
  readonly staleHeight: bigint;
  readonly cursor: Uint8Array;
  readonly steps: bigint;
  readonly free: readonly (readonly [bigint, bigint, bigint])[];
  readonly halvesMicro: bigint;
}

export const Auction: RecordKind<Auction> = record("Auction", {
  stage: SMALL,
  staleHeight: WHOLE,
  cursor: bytes(),
  steps: WHOLE,
  free: list(tuple(WHOLE, WHOLE, WHOLE)),
  halvesMicro: WHOLE,
});

/**
 * What the auction decided for a zone, or for a feeder whose link has a limit (`place`: its link's number). Sales
 * below the cut and purchases above it (worth at the node) trade in full; of those at it the ones placed before
 * `sells_until` and `buys_until`, and of the one placed then so many Wh. 0 for none. A place that is not listed has
 * no price, and nothing trades there.
 */
export interface ClearedNode {
  readonly place: bigint;
  readonly priceMicro: bigint;
  readonly cutMicro: bigint;
  readonly sellsUntil: bigint;
  readonly sellsLastWh: bigint;
  readonly buysUntil: bigint;
  readonly buysLastWh: bigint;
  readonly soldWh: bigint;
  readonly boughtWh: bigint;
}

export const ClearedNode: RecordKind<ClearedNode> = record("ClearedNode", {
  place: WHOLE,
  priceMicro: whole(4611686018427387904n, -4611686018427387904n),
  cutMicro: whole(4611686018427387904n, -4611686018427387904n),
  sellsUntil: WHOLE,
  sellsLastWh: WHOLE,
  buysUntil: WHOLE,
  buysLastWh: WHOLE,
  soldWh: WHOLE,
  boughtWh: WHOLE,
});

/**
 * What the auction sends over a link, forward above zero, of what was free; of the difference of prices what goes to
 * transmission and what is congestion rent.
 */
export interface ClearedLink {
  readonly link: bigint;
  readonly forwardFreeWh: bigint;
  readonly backwardFreeWh: bigint;
  readonly flowWh: bigint;
  readonly wheelingMicro: bigint;
  readonly rentMicro: bigint;
}

export const ClearedLink: RecordKind<ClearedLink> = record("ClearedLink", {
  link: WHOLE,
  forwardFreeWh: WHOLE,
  backwardFreeWh: WHOLE,
  flowWh: whole(4611686018427387904n, -4611686018427387904n),
  wheelingMicro: WHOLE,
  rentMicro: WHOLE,
});

/**
 * What the auction of an interval decided; it stays as long as the interval. With it and an order everybody can say
 * what the order trades. Key: interval.
 */
export interface Clearing {
  readonly method: number;
  readonly welfareMicro: bigint;
  readonly nodes: readonly ClearedNode[];
  readonly links: readonly ClearedLink[];
}

export const Clearing: RecordKind<Clearing> = record("Clearing", {
  method: SMALL,
  welfareMicro: WHOLE,
  nodes: list(ClearedNode),
  links: list(ClearedLink),
});

/**
 * The reference price of a zone in an interval, and what it is made of (millionths of a WATT per kWh): the sum of the
 * parts, within what both sides have elsewhere, on the tick. It is that of `anchor_micro` alone while there is none.
 * Key: interval ‖ zone. `called_micro`: by how much the last call or auction was away from the anchor. `traded_wh`,
 * `traded_micro`: energy that still counts since then, and what it cost; `other_wh`, `other_micro`: of that what was
 * not renewable. `halts`: how often trading was interrupted here. `height`: the block in which the price or a part of
 * it changed last.
 */
export interface Reference {
  readonly height: bigint;
  readonly priceMicro: bigint;
  readonly anchorMicro: bigint;
  readonly calledMicro: bigint;
  readonly tradesMicro: bigint;
  readonly renewableMicro: bigint;
  readonly bookMicro: bigint;
  readonly congestionMicro: bigint;
  readonly tradedWh: bigint;
  readonly tradedMicro: bigint;
  readonly otherWh: bigint;
  readonly otherMicro: bigint;
  readonly halts: number;
}

export const Reference: RecordKind<Reference> = record("Reference", {
  height: WHOLE,
  priceMicro: WHOLE,
  anchorMicro: WHOLE,
  calledMicro: whole(4611686018427387904n, -4611686018427387904n),
  tradesMicro: whole(4611686018427387904n, -4611686018427387904n),
  renewableMicro: whole(4611686018427387904n, -4611686018427387904n),
  bookMicro: whole(4611686018427387904n, -4611686018427387904n),
  congestionMicro: whole(4611686018427387904n, -4611686018427387904n),
  tradedWh: WHOLE,
  tradedMicro: WHOLE,
  otherWh: WHOLE,
  otherMicro: WHOLE,
  halts: SMALL,
});

/**
 * Trade is halted. `until_ms` is 0 until somebody resumes. `order`: the key of the order that would have left the
 * band and cannot go before the call; empty if there is none. `extended`: its call would have left the band too,
 * once. Key: interval ‖ zone, 0 for all.
 */
export interface Halted {
  readonly sinceMs: bigint;
  readonly untilMs: bigint;
  readonly reason: number;
  readonly stage: number;
  readonly extended: boolean;
  readonly order: Uint8Array;
}

export const Halted: RecordKind<Halted> = record("Halted", {
  sinceMs: WHOLE,
  untilMs: WHOLE,
  reason: SMALL,
  stage: SMALL,
  extended: FLAG,
  order: bytes(),
});

/**
 * A maker of a zone from interval `first` on, until `until` (0: no end is known). `missed_in_a_row`: intervals, up to
 * the last gate.
 */
export interface Maker {
  readonly portfolio: Uint8Array;
  readonly first: bigint;
  readonly until: bigint;
  readonly missedInARow: bigint;
  readonly end: number;
}

export const Maker: RecordKind<Maker> = record("Maker", {
  portfolio: bytes(8),
  first: WHOLE,
  until: WHOLE,
  missedInARow: WHOLE,
  end: SMALL,
});

/**
 * What makers of a zone do, and who they are, by when they enrolled. `still`: (from, until) of the last times in
 * which the chain stood still, the earliest first: they count for nobody's presence. Key: zone.
 */
export interface MakerProgramme {
  readonly terms: MakerTerms;
  readonly makers: readonly Maker[];
  readonly still: readonly (readonly [bigint, bigint])[];
}

export const MakerProgramme: RecordKind<MakerProgramme> = record("MakerProgramme", {
  terms: MakerTerms,
  makers: list(Maker),
  still: list(tuple(WHOLE, WHOLE)),
});

/**
 * A maker's presence in one interval. Key: interval ‖ portfolio, as of its position. From `from_ms` until `until_ms`
 * time counts; `held_ms` of it the maker was present, and since `since_ms` it is (0: it is not). Orders placed before
 * `place` do not count. `fees_micro`: trading fees of both sides of trades in which its orders rested. After the
 * verdict `rebate_micro` is what it got of them. `halted`: (from, until) of the last times in which this interval was
 * halted in its zone; they do not count.
 */
export interface MakerDuty {
  readonly asked: MakerTerms;
  readonly place: bigint;
  readonly fromMs: bigint;
  readonly untilMs: bigint;
  readonly sinceMs: bigint;
  readonly heldMs: bigint;
  readonly feesMicro: bigint;
  readonly rebateMicro: bigint;
  readonly verdict: number;
  readonly halted: readonly (readonly [bigint, bigint])[];
}

export const MakerDuty: RecordKind<MakerDuty> = record("MakerDuty", {
  asked: MakerTerms,
  place: WHOLE,
  fromMs: WHOLE,
  untilMs: WHOLE,
  sinceMs: WHOLE,
  heldMs: WHOLE,
  feesMicro: WHOLE,
  rebateMicro: WHOLE,
  verdict: SMALL,
  halted: list(tuple(WHOLE, WHOLE)),
});

/**
 * A block order that waits. Its key is account ‖ client id, a name that no open order has. `quantity_wh` is that of
 * each of its intervals, of which `interval` is the earliest; `price_micro`, `source`, `place` as of an order;
 * `tried_ms`: when it was last tried. Its escrow is held, and its energy counts as open in the position of each
 * interval.
 */
export interface BlockOrder {
  readonly portfolio: Uint8Array;
  readonly participant: Uint8Array;
  readonly interval: number;
  readonly intervals: number;
  readonly side: number;
  readonly priceMicro: bigint;
  readonly quantityWh: bigint;
  readonly source: number;
  readonly feeder: number;
  readonly place: bigint;
  readonly expiresMs: bigint;
  readonly triedMs: bigint;
  readonly scope: number;
}

export const BlockOrder: RecordKind<BlockOrder> = record("BlockOrder", {
  portfolio: bytes(8),
  participant: bytes(8),
  interval: number(4_294_967_295),
  intervals: SMALL,
  side: SMALL,
  priceMicro: WHOLE,
  quantityWh: WHOLE,
  source: SMALL,
  feeder: number(65_535),
  place: WHOLE,
  expiresMs: WHOLE,
  triedMs: WHOLE,
  scope: SMALL,
});

/**
 * A meter's cumulative registers at the end of an interval, as measured (of an estimate: as last measured before),
 * and how far the import that was settled by then stands above them (`lift_wh`). It never falls: an overestimate
 * stands until consumption has caught up. Export is never estimated. Key: interval ‖ meter.
 */
export interface Registers {
  readonly importWh: bigint;
  readonly exportWh: bigint;
  readonly liftWh: bigint;
  readonly quality: number;
}

export const Registers: RecordKind<Registers> = record("Registers", {
  importWh: WHOLE,
  exportWh: WHOLE,
  liftWh: WHOLE,
  quality: SMALL,
});

/** The newest registers that a meter itself reported. Key: meter. */
export interface LastMeasured {
  readonly interval: bigint;
  readonly importWh: bigint;
  readonly exportWh: bigint;
}

export const LastMeasured: RecordKind<LastMeasured> = record("LastMeasured", {
  interval: WHOLE,
  importWh: WHOLE,
  exportWh: WHOLE,
});

/**
 * Import in the same quarter-hour of the last days, for estimates. Key: meter ‖ quarter (one byte). `energies_wh`
 * ends with that of `last_day` (days since the epoch) and has at most seven.
 */
export interface SameQuarter {
  readonly lastDay: bigint;
  readonly energiesWh: readonly bigint[];
}

export const SameQuarter: RecordKind<SameQuarter> = record("SameQuarter", {
  lastDay: WHOLE,
  energiesWh: list(WHOLE),
});

/**
 * Progress of one interval. Key: interval. `cursor` is the last portfolio done in this stage. The sums are what
 * buyers pay in and what sellers get out.
 */
export interface Settlement {
  readonly stage: number;
  readonly readings: bigint;
  readonly cursor: Uint8Array;
  readonly paidInMicro: bigint;
  readonly paidOutMicro: bigint;
}

export const Settlement: RecordKind<Settlement> = record("Settlement", {
  stage: SMALL,
  readings: WHOLE,
  cursor: bytes(),
  paidInMicro: WHOLE,
  paidOutMicro: WHOLE,
});

/**
 * The result for one portfolio and interval. Key: interval ‖ portfolio. `purchase_cost_micro` and
 * `sale_proceeds_micro` are the trades; charge and credit are with the residual supplier. So are those of a split: a
 * member's part of its portfolio's loss or gain; of a portfolio with members, what it takes over of their statements
 * and passes on to them.
 */
export interface Statement {
  readonly importWh: bigint;
  readonly exportWh: bigint;
  readonly soldWh: bigint;
  readonly boughtWh: bigint;
  readonly undeliveredWh: bigint;
  readonly unusedWh: bigint;
  readonly otherImportWh: bigint;
  readonly otherExportWh: bigint;
  readonly purchaseCostMicro: bigint;
  readonly saleProceedsMicro: bigint;
  readonly chargeMicro: bigint;
  readonly creditMicro: bigint;
  readonly quality: number;
  readonly splitChargeMicro: bigint;
  readonly splitCreditMicro: bigint;
}

export const Statement: RecordKind<Statement> = record("Statement", {
  importWh: WHOLE,
  exportWh: WHOLE,
  soldWh: WHOLE,
  boughtWh: WHOLE,
  undeliveredWh: WHOLE,
  unusedWh: WHOLE,
  otherImportWh: WHOLE,
  otherExportWh: WHOLE,
  purchaseCostMicro: WHOLE,
  saleProceedsMicro: WHOLE,
  chargeMicro: WHOLE,
  creditMicro: WHOLE,
  quality: SMALL,
  splitChargeMicro: WHOLE,
  splitCreditMicro: WHOLE,
});

/** What the residual supplier could not pay yet, and since when it owes. Key: account. */
export interface Payable {
  readonly amountMicro: bigint;
  readonly sinceMs: bigint;
}

export const Payable: RecordKind<Payable> = record("Payable", {
  amountMicro: WHOLE,
  sinceMs: WHOLE,
});

/**
 * How the result of a portfolio with members was split in one interval. Key: interval ‖ portfolio. `old_charge_micro`
 * and `old_credit_micro` are the sums of its members' own statements: what they owe and get as if nothing had been
 * traded, which the portfolio gets back. What it has beyond them is its gain, or its loss. Of it `shared_micro` goes
 * to the members, in the ratio of their weights to `weight`; `commission_micro` is the aggregator's of a gain, and
 * its own part of a loss. What rounding leaves is the aggregator's too.
 */
export interface Split {
  readonly oldChargeMicro: bigint;
  readonly oldCreditMicro: bigint;
  readonly gainMicro: bigint;
  readonly lossMicro: bigint;
  readonly commissionMicro: bigint;
  readonly weight: bigint;
  readonly sharedMicro: bigint;
}

export const Split: RecordKind<Split> = record("Split", {
  oldChargeMicro: WHOLE,
  oldCreditMicro: WHOLE,
  gainMicro: WHOLE,
  lossMicro: WHOLE,
  commissionMicro: WHOLE,
  weight: WHOLE,
  sharedMicro: WHOLE,
});

export const ACCOUNTS: Table<Account> = { prefix: 0x01, record: Account };
export const ROTATED_KEYS: Table<RotatedKeys> = { prefix: 0x02, record: RotatedKeys };
export const PENDING_KEYS: Table<PendingKeys> = { prefix: 0x03, record: PendingKeys };
export const SCHEDULE: Table<Scheduled> = { prefix: 0x04, record: Scheduled };
export const SET_ASIDE: Table<SetAside> = { prefix: 0x05, record: SetAside };
export const NODES: Table<Node> = { prefix: 0x06, record: Node };
export const BATCHES: Table<SeenBatch> = { prefix: 0x07, record: SeenBatch };
export const LAST_BLOCK: Table<LastBlock> = { prefix: 0x08, record: LastBlock };
export const CONSENSUS: Table<ConsensusTerms> = { prefix: 0x09, record: ConsensusTerms };
export const VALIDATORS: Table<Validator> = { prefix: 0x0a, record: Validator };
export const ROTATION: Table<Rotation> = { prefix: 0x0b, record: Rotation };
export const FREEZE: Table<Freeze> = { prefix: 0x0c, record: Freeze };
export const PAST_FREEZES: Table<PastFreeze> = { prefix: 0x0d, record: PastFreeze };
export const MONEY: Table<Money> = { prefix: 0x10, record: Money };
export const REDEMPTIONS: Table<Redemption> = { prefix: 0x11, record: Redemption };
export const USED_REFERENCES: Table<UsedReference> = { prefix: 0x12, record: UsedReference };
export const ROLES: Table<Role> = { prefix: 0x20, record: Role };
export const ZONES: Table<Zone> = { prefix: 0x21, record: Zone };
export const FEEDERS: Table<Feeder> = { prefix: 0x22, record: Feeder };
export const PARTICIPANTS: Table<Participant> = { prefix: 0x23, record: Participant };
export const PORTFOLIOS: Table<Portfolio> = { prefix: 0x24, record: Portfolio };
export const SITES: Table<Site> = { prefix: 0x25, record: Site };
export const METERS: Table<Meter> = { prefix: 0x26, record: Meter };
export const SPLIT_RULES: Table<SplitRule> = { prefix: 0x27, record: SplitRule };
export const JOIN_REQUESTS: Table<JoinRequest> = { prefix: 0x28, record: JoinRequest };
export const MEMBERSHIPS: Table<Membership> = { prefix: 0x29, record: Membership };
export const ROSTERS: Table<Roster> = { prefix: 0x2a, record: Roster };
export const STORAGES: Table<Storage> = { prefix: 0x2b, record: Storage };
export const STORAGE_LEVELS: Table<StorageLevel> = { prefix: 0x2c, record: StorageLevel };
export const FORMER_KEYS: Table<FormerKey> = { prefix: 0x30, record: FormerKey };
export const MISDEEDS: Table<Misdeed> = { prefix: 0x31, record: Misdeed };
export const MEMBERS: Table<Member> = { prefix: 0x32, record: Member };
export const KEY_OWNERS: Table<KeyOwner> = { prefix: 0x33, record: KeyOwner };
export const PROPOSALS: Table<Proposal> = { prefix: 0x34, record: Proposal };
export const BALLOTS: Table<Ballot> = { prefix: 0x35, record: Ballot };
export const CONSORTIUM_TERMS: Table<ConsortiumTerms> = { prefix: 0x36, record: ConsortiumTerms };
export const CONDUCT: Table<Conduct> = { prefix: 0x37, record: Conduct };
export const EPOCH: Table<Epoch> = { prefix: 0x38, record: Epoch };
export const CHECKPOINTS: Table<Checkpoint> = { prefix: 0x39, record: Checkpoint };
export const PENALTIES: Table<Penalty> = { prefix: 0x3a, record: Penalty };
export const SERVICE_DAYS: Table<ServiceDay> = { prefix: 0x3b, record: ServiceDay };
export const PROPOSAL_COUNT: Table<ProposalCount> = { prefix: 0x3c, record: ProposalCount };
export const LIMITS: Table<Limit> = { prefix: 0x50, record: Limit };
export const LINKS: Table<Link> = { prefix: 0x51, record: Link };
export const REOPENED: Table<Reopened> = { prefix: 0x52, record: Reopened };
export const TERMS: Table<Terms> = { prefix: 0x60, record: Terms };
export const TERMS_VERSION: Table<TermsVersion> = { prefix: 0x61, record: TermsVersion };
export const INTERVALS: Table<Interval> = { prefix: 0x62, record: Interval };
export const ORDERS: Table<Order> = { prefix: 0x63, record: Order };
export const POSITIONS: Table<Position> = { prefix: 0x64, record: Position };
export const DUES: Table<Due> = { prefix: 0x65, record: Due };
export const SKY: Table<SkyMonth> = { prefix: 0x66, record: SkyMonth };
export const HOLIDAYS: Table<Holiday> = { prefix: 0x67, record: Holiday };
export const STALE_TRADES: Table<StaleTrades> = { prefix: 0x68, record: StaleTrades };
export const AUCTIONS: Table<Auction> = { prefix: 0x69, record: Auction };
export const CLEARINGS: Table<Clearing> = { prefix: 0x6a, record: Clearing };
export const REFERENCES: Table<Reference> = { prefix: 0x6b, record: Reference };
export const HALTS: Table<Halted> = { prefix: 0x6c, record: Halted };
export const MAKER_PROGRAMMES: Table<MakerProgramme> = { prefix: 0x6d, record: MakerProgramme };
export const MAKER_DUTIES: Table<MakerDuty> = { prefix: 0x6e, record: MakerDuty };
export const BLOCK_ORDERS: Table<BlockOrder> = { prefix: 0x6f, record: BlockOrder };
export const REGISTERS: Table<Registers> = { prefix: 0x70, record: Registers };
export const LAST_MEASURED: Table<LastMeasured> = { prefix: 0x71, record: LastMeasured };
export const SAME_QUARTER: Table<SameQuarter> = { prefix: 0x72, record: SameQuarter };
export const SETTLEMENTS: Table<Settlement> = { prefix: 0x73, record: Settlement };
export const STATEMENTS: Table<Statement> = { prefix: 0x74, record: Statement };
export const PAYABLES: Table<Payable> = { prefix: 0x75, record: Payable };
export const SPLITS: Table<Split> = { prefix: 0x76, record: Split };
