// Made by packages/sdk/generate.py from the Python sources: change those, then run it again.
import { build } from "./build.js";
import { bytes, FLAG, list, number, record, text, tuple, whole } from "./kinds.js";
import type { Fields, RecordKind, UnionKind } from "./kinds.js";

const SMALL = number(255);
const WHOLE = whole(2n ** 62n);

/** Of an order. */
export const Side = {
  BUY: 0,
  SELL: 1,
} as const;

/** How long what does not fill at once stays: until the gate, until its own time, or not at all. */
export const TimeInForce = {
  GOOD_TILL_GATE: 0,
  GOOD_TILL_TIME: 1,
  IMMEDIATE_OR_CANCEL: 2,
  FILL_OR_KILL: 3,
} as const;

/**
 * How far an order looks for others, and others for it: to any zone that can be reached, in its own zone, on its own
 * feeder.
 */
export const Scope = {
  ANYWHERE: 0,
  ZONE: 1,
  FEEDER: 2,
} as const;

/** Of a delivery interval. Orders are refused by time, not by phase. */
export const Phase = {
  TRADING: 0,
  CLOSED: 1,
} as const;

/** Where energy comes from. */
export const Source = {
  SOLAR: 0,
  WIND: 1,
  HYDRO: 2,
  BIOMASS: 3,
  GEOTHERMAL: 4,
  STORAGE: 5,
  CONVENTIONAL: 6,
} as const;

/** What a participant may do in the market. */
export const Licence = {
  NONE: 0,
  SANDBOX: 1,
  PROSUMER: 2,
  SUPPLIER: 3,
  DEALER: 4,
  AGGREGATOR: 5,
} as const;

/** By what a portfolio's gain or loss is shared among its members. */
export const SplitKind = {
  METERED: 0,
  EXPORT: 1,
  EQUAL: 2,
} as const;

/** State of the identity check that was done outside the chain. */
export const Kyc = {
  NONE: 0,
  PENDING: 1,
  VERIFIED: 2,
  REVOKED: 3,
} as const;

/** Offices that one account (usually of several signers) holds. */
export const RoleName = {
  REGISTRAR: 1,
  OPERATOR: 2,
  FEE_POOL: 3,
  RESIDUAL_SUPPLIER: 4,
  TRANSMISSION: 5,
  CLEARING: 6,
  AUTHORITY: 7,
  CONGESTION: 8,
} as const;

/** Why a reading is corrected. */
export const Cause = {
  LATE: 0,
  METER_FAULT: 1,
  TRANSMISSION_FAULT: 2,
} as const;

/** Where a register value comes from. */
export const Quality = {
  MEASURED: 0,
  ESTIMATED: 1,
  CORRECTED: 2,
} as const;

/** What an organisation is in the market: each group has its own number of seats. */
export const Group = {
  GRID: 1,
  TRADE: 2,
  FINANCE: 3,
  REGULATION: 4,
  TECHNOLOGY: 5,
} as const;

/** Which powers a member has (`powers`). */
export const Tier = {
  PRIMARY: 1,
  SECONDARY: 2,
  TECHNICAL: 3,
  EMERGENCY: 4,
} as const;

/**
 * Where a member is on its way in or out. A reserve is admitted and has no vote in consensus; who is suspended or has
 * left has no vote anywhere.
 */
export const Standing = {
  CANDIDATE: 1,
  RESERVE: 2,
  SEATED: 3,
  SUSPENDED: 4,
  LEFT: 5,
} as const;

/** What members propose and decide. */
export const Act = {
  ADMIT: 1,
  REMOVE: 2,
  REINSTATE: 3,
  SET_TERMS: 4,
  LICENSE: 5,
  FREEZE: 6,
  RESUME: 7,
  REPLACE: 8,
} as const;

/** Which of a member's keys is replaced. */
export const RotatedKey = {
  NODE: 1,
  CONSENSUS: 2,
} as const;

/** What became of a proposal. `FAILED`: it was carried, and could not be done. */
export const Outcome = {
  OPEN: 0,
  CARRIED: 1,
  LOST: 2,
  FAILED: 3,
} as const;

/**
 * How a portfolio's gain or loss of an interval is split, for as long as the portfolio stands. Of a gain the
 * aggregator keeps `commission_ppm`, of a loss it bears `loss_ppm`; the rest is the members' by `kind`.
 */
export interface SplitRule {
  readonly kind: number;
  readonly commissionPpm: number;
  readonly lossPpm: number;
}

export const SplitRule: RecordKind<SplitRule> = record("SplitRule", {
  kind: SMALL,
  commissionPpm: number(1_000_000),
  lossPpm: number(1_000_000),
});

/** Parameters of the market (`docs/market-rules.md`). An interval keeps the version it opened with. */
export interface Terms {
  readonly onPeakMicro: bigint;
  readonly offPeakMicro: bigint;
  readonly buyBackMicro: bigint;
  readonly undeliveredSpreadMicro: bigint;
  readonly unusedSpreadMicro: bigint;
  readonly gridFeePpm: bigint;
  readonly tradingFeePpm: bigint;
  readonly wheelingBaseMicro: bigint;
  readonly wheelingFeederMicro: bigint;
  readonly wheelingBorderMicro: bigint;
  readonly tickMicro: bigint;
  readonly orderWhMin: bigint;
  readonly gateMs: bigint;
  readonly callPhaseMs: bigint;
  readonly meteringDeadlineMs: bigint;
  readonly correctionMs: bigint;
  readonly arrearsLimitMicro: bigint;
  readonly bandPpm: bigint;
  readonly haltMs: bigint;
  readonly referenceWh: bigint;
}

export const Terms: RecordKind<Terms> = record("Terms", {
  onPeakMicro: WHOLE,
  offPeakMicro: WHOLE,
  buyBackMicro: WHOLE,
  undeliveredSpreadMicro: WHOLE,
  unusedSpreadMicro: WHOLE,
  gridFeePpm: WHOLE,
  tradingFeePpm: WHOLE,
  wheelingBaseMicro: WHOLE,
  wheelingFeederMicro: WHOLE,
  wheelingBorderMicro: WHOLE,
  tickMicro: WHOLE,
  orderWhMin: WHOLE,
  gateMs: WHOLE,
  callPhaseMs: WHOLE,
  meteringDeadlineMs: WHOLE,
  correctionMs: WHOLE,
  arrearsLimitMicro: WHOLE,
  bandPpm: WHOLE,
  haltMs: WHOLE,
  referenceWh: WHOLE,
});

/**
 * What makers of a zone do, and what they get for it (`docs/market-rules.md`, "Makers"). In each interval, of the
 * time that counts (the last `window_ms` of trading at once; 0: all since it opened), for at least
 * `presence_per_mille`: a purchase and a sale of `size_wh` each, at most `spread_micro` per kWh apart. Who does gets
 * `rebate_ppm` of the trading fees that both sides paid where its orders rested. Who misses `misses_max` intervals in
 * a row is a maker no longer. Of `makers_max` makers at most; 0 ends the programme.
 */
export interface MakerTerms {
  readonly spreadMicro: bigint;
  readonly sizeWh: bigint;
  readonly presencePerMille: bigint;
  readonly windowMs: bigint;
  readonly rebatePpm: bigint;
  readonly makersMax: number;
  readonly missesMax: number;
}

export const MakerTerms: RecordKind<MakerTerms> = record("MakerTerms", {
  spreadMicro: WHOLE,
  sizeWh: WHOLE,
  presencePerMille: WHOLE,
  windowMs: WHOLE,
  rebatePpm: WHOLE,
  makersMax: SMALL,
  missesMax: SMALL,
});

/** The registers of a meter at the end of an interval: cumulative Wh, signed by the meter's own key. */
export interface Reading {
  readonly meter: Uint8Array;
  readonly interval: number;
  readonly importWh: bigint;
  readonly exportWh: bigint;
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
}

export const Reading: RecordKind<Reading> = record("Reading", {
  meter: bytes(8),
  interval: number(4_294_967_295),
  importWh: whole(9_007_199_254_740_992n),
  exportWh: whole(9_007_199_254_740_992n),
  publicKey: bytes(32),
  signature: bytes(64),
});

/** Pay from the free balance. */
export interface Transfer {
  readonly kind: "Transfer";
  readonly recipient: Uint8Array;
  readonly amountMicro: bigint;
}

export const Transfer: RecordKind<Transfer> = record("Transfer", {
  recipient: bytes(32),
  amountMicro: WHOLE,
}, 0x10);

/** Pay from the free balance. */
export function transfer(fields: Fields<Transfer>): Transfer {
  return build(Transfer, fields);
}

/** The bank makes WATT for baht that it received; never above the attested reserves. */
export interface Mint {
  readonly kind: "Mint";
  readonly recipient: Uint8Array;
  readonly amountMicro: bigint;
  readonly reference: Uint8Array;
}

export const Mint: RecordKind<Mint> = record("Mint", {
  recipient: bytes(32),
  amountMicro: WHOLE,
  reference: bytes(16),
}, 0x11);

/** The bank makes WATT for baht that it received; never above the attested reserves. */
export function mint(fields: Fields<Mint>): Mint {
  return build(Mint, fields);
}

/** The sender wants baht for WATT: the amount is held until the bank answers. */
export interface RequestRedemption {
  readonly kind: "RequestRedemption";
  readonly amountMicro: bigint;
  readonly reference: Uint8Array;
}

export const RequestRedemption: RecordKind<RequestRedemption> = record("RequestRedemption", {
  amountMicro: WHOLE,
  reference: bytes(16),
}, 0x12);

/** The sender wants baht for WATT: the amount is held until the bank answers. */
export function requestRedemption(fields: Fields<RequestRedemption>): RequestRedemption {
  return build(RequestRedemption, fields);
}

/** The bank has paid the baht: the held WATT is burnt. */
export interface ConfirmRedemption {
  readonly kind: "ConfirmRedemption";
  readonly account: Uint8Array;
  readonly reference: Uint8Array;
}

export const ConfirmRedemption: RecordKind<ConfirmRedemption> = record("ConfirmRedemption", {
  account: bytes(32),
  reference: bytes(16),
}, 0x13);

/** The bank has paid the baht: the held WATT is burnt. */
export function confirmRedemption(fields: Fields<ConfirmRedemption>): ConfirmRedemption {
  return build(ConfirmRedemption, fields);
}

/** The bank does not pay: the hold is released. */
export interface RefuseRedemption {
  readonly kind: "RefuseRedemption";
  readonly account: Uint8Array;
  readonly reference: Uint8Array;
}

export const RefuseRedemption: RecordKind<RefuseRedemption> = record("RefuseRedemption", {
  account: bytes(32),
  reference: bytes(16),
}, 0x14);

/** The bank does not pay: the hold is released. */
export function refuseRedemption(fields: Fields<RefuseRedemption>): RefuseRedemption {
  return build(RefuseRedemption, fields);
}

/** The attester states the baht in the segregated account, as of an instant (chain time). */
export interface AttestReserves {
  readonly kind: "AttestReserves";
  readonly reservesMicro: bigint;
  readonly asOfMs: bigint;
}

export const AttestReserves: RecordKind<AttestReserves> = record("AttestReserves", {
  reservesMicro: WHOLE,
  asOfMs: WHOLE,
}, 0x15);

/** The attester states the baht in the segregated account, as of an instant (chain time). */
export function attestReserves(fields: Fields<AttestReserves>): AttestReserves {
  return build(AttestReserves, fields);
}

/** The registrar admits a participant (a pseudonym). */
export interface RegisterParticipant {
  readonly kind: "RegisterParticipant";
  readonly participant: Uint8Array;
  readonly licence: number;
  readonly licenceUntilMs: bigint;
  readonly kyc: number;
  readonly kycUntilMs: bigint;
  readonly group: bigint;
  readonly shortWh: bigint;
  readonly longWh: bigint;
}

export const RegisterParticipant: RecordKind<RegisterParticipant> = record("RegisterParticipant", {
  participant: bytes(8),
  licence: SMALL,
  licenceUntilMs: WHOLE,
  kyc: SMALL,
  kycUntilMs: WHOLE,
  group: WHOLE,
  shortWh: WHOLE,
  longWh: WHOLE,
}, 0x20);

/** The registrar admits a participant (a pseudonym). */
export function registerParticipant(fields: Fields<RegisterParticipant>): RegisterParticipant {
  return build(RegisterParticipant, fields);
}

/**
 * The registrar changes licence, KYC state, group or dealer's limits; open orders that are no longer allowed are
 * cancelled.
 */
export interface UpdateParticipant {
  readonly kind: "UpdateParticipant";
  readonly participant: Uint8Array;
  readonly licence: number;
  readonly licenceUntilMs: bigint;
  readonly kyc: number;
  readonly kycUntilMs: bigint;
  readonly group: bigint;
  readonly shortWh: bigint;
  readonly longWh: bigint;
}

export const UpdateParticipant: RecordKind<UpdateParticipant> = record("UpdateParticipant", {
  participant: bytes(8),
  licence: SMALL,
  licenceUntilMs: WHOLE,
  kyc: SMALL,
  kycUntilMs: WHOLE,
  group: WHOLE,
  shortWh: WHOLE,
  longWh: WHOLE,
}, 0x21);

/**
 * The registrar changes licence, KYC state, group or dealer's limits; open orders that are no longer allowed are
 * cancelled.
 */
export function updateParticipant(fields: Fields<UpdateParticipant>): UpdateParticipant {
  return build(UpdateParticipant, fields);
}

/** The registrar stops a participant, or lets it go on. */
export interface SuspendParticipant {
  readonly kind: "SuspendParticipant";
  readonly participant: Uint8Array;
  readonly suspended: boolean;
}

export const SuspendParticipant: RecordKind<SuspendParticipant> = record("SuspendParticipant", {
  participant: bytes(8),
  suspended: FLAG,
}, 0x22);

/** The registrar stops a participant, or lets it go on. */
export function suspendParticipant(fields: Fields<SuspendParticipant>): SuspendParticipant {
  return build(SuspendParticipant, fields);
}

/** The registrar opens an account for a participant. Its id is the hash of these keys. */
export interface RegisterAccount {
  readonly kind: "RegisterAccount";
  readonly participant: Uint8Array;
  readonly algorithm: number;
  readonly threshold: number;
  readonly keys: readonly Uint8Array[];
}

export const RegisterAccount: RecordKind<RegisterAccount> = record("RegisterAccount", {
  participant: bytes(8),
  algorithm: SMALL,
  threshold: SMALL,
  keys: list(bytes(32), 1, 16),
}, 0x23);

/** The registrar opens an account for a participant. Its id is the hash of these keys. */
export function registerAccount(fields: Fields<RegisterAccount>): RegisterAccount {
  return build(RegisterAccount, fields);
}

/** The sender's keys from the next block on. */
export interface RotateKeys {
  readonly kind: "RotateKeys";
  readonly algorithm: number;
  readonly threshold: number;
  readonly keys: readonly Uint8Array[];
}

export const RotateKeys: RecordKind<RotateKeys> = record("RotateKeys", {
  algorithm: SMALL,
  threshold: SMALL,
  keys: list(bytes(32), 1, 16),
}, 0x24);

/** The sender's keys from the next block on. */
export function rotateKeys(fields: Fields<RotateKeys>): RotateKeys {
  return build(RotateKeys, fields);
}

/**
 * The registrar connects a site, its meter and its portfolio. `import_wh` and `export_wh` are what the meter shows
 * when it is connected: from there on its owner is billed.
 */
export interface RegisterSite {
  readonly kind: "RegisterSite";
  readonly portfolio: Uint8Array;
  readonly site: Uint8Array;
  readonly meter: Uint8Array;
  readonly meterKey: Uint8Array;
  readonly account: Uint8Array;
  readonly feeder: number;
  readonly importW: number;
  readonly exportW: readonly [number, number, number, number, number, number, number];
  readonly importWh: bigint;
  readonly exportWh: bigint;
}

export const RegisterSite: RecordKind<RegisterSite> = record("RegisterSite", {
  portfolio: bytes(8),
  site: bytes(8),
  meter: bytes(8),
  meterKey: bytes(32),
  account: bytes(32),
  feeder: number(65_535),
  importW: number(100_000_000_000),
  exportW: tuple(number(100_000_000_000), number(100_000_000_000), number(100_000_000_000), number(100_000_000_000), number(100_000_000_000), number(100_000_000_000), number(100_000_000_000)),
  importWh: whole(9_007_199_254_740_992n),
  exportWh: whole(9_007_199_254_740_992n),
}, 0x25);

/**
 * The registrar connects a site, its meter and its portfolio. `import_wh` and `export_wh` are what the meter shows
 * when it is connected: from there on its owner is billed.
 */
export function registerSite(fields: Fields<RegisterSite>): RegisterSite {
  return build(RegisterSite, fields);
}

/** The registrar opens a portfolio without a site: a dealer's. */
export interface RegisterPortfolio {
  readonly kind: "RegisterPortfolio";
  readonly portfolio: Uint8Array;
  readonly account: Uint8Array;
  readonly feeder: number;
}

export const RegisterPortfolio: RecordKind<RegisterPortfolio> = record("RegisterPortfolio", {
  portfolio: bytes(8),
  account: bytes(32),
  feeder: number(65_535),
}, 0x26);

/** The registrar opens a portfolio without a site: a dealer's. */
export function registerPortfolio(fields: Fields<RegisterPortfolio>): RegisterPortfolio {
  return build(RegisterPortfolio, fields);
}

/** The registrar gives a meter a new key; its registers go on. */
export interface ReplaceMeterKey {
  readonly kind: "ReplaceMeterKey";
  readonly meter: Uint8Array;
  readonly meterKey: Uint8Array;
}

export const ReplaceMeterKey: RecordKind<ReplaceMeterKey> = record("ReplaceMeterKey", {
  meter: bytes(8),
  meterKey: bytes(32),
}, 0x27);

/** The registrar gives a meter a new key; its registers go on. */
export function replaceMeterKey(fields: Fields<ReplaceMeterKey>): ReplaceMeterKey {
  return build(ReplaceMeterKey, fields);
}

/** An aggregator opens a portfolio for the sites of others, all on one feeder. Its rule never changes. */
export interface OpenPortfolio {
  readonly kind: "OpenPortfolio";
  readonly portfolio: Uint8Array;
  readonly feeder: number;
  readonly rule: SplitRule;
}

export const OpenPortfolio: RecordKind<OpenPortfolio> = record("OpenPortfolio", {
  portfolio: bytes(8),
  feeder: number(65_535),
  rule: SplitRule,
}, 0x28);

/** An aggregator opens a portfolio for the sites of others, all on one feeder. Its rule never changes. */
export function openPortfolio(fields: Fields<OpenPortfolio>): OpenPortfolio {
  return build(OpenPortfolio, fields);
}

/**
 * The owner of a site (`member`, the site's own portfolio) asks to be traded by an aggregator's portfolio, and
 * consents to its rule by repeating it. Asked again, the newer request counts.
 */
export interface JoinPortfolio {
  readonly kind: "JoinPortfolio";
  readonly member: Uint8Array;
  readonly portfolio: Uint8Array;
  readonly rule: SplitRule;
}

export const JoinPortfolio: RecordKind<JoinPortfolio> = record("JoinPortfolio", {
  member: bytes(8),
  portfolio: bytes(8),
  rule: SplitRule,
}, 0x29);

/**
 * The owner of a site (`member`, the site's own portfolio) asks to be traded by an aggregator's portfolio, and
 * consents to its rule by repeating it. Asked again, the newer request counts.
 */
export function joinPortfolio(fields: Fields<JoinPortfolio>): JoinPortfolio {
  return build(JoinPortfolio, fields);
}

/** The aggregator takes in a site whose owner asked. Receipt: the first interval in which it is a member. */
export interface AcceptMember {
  readonly kind: "AcceptMember";
  readonly member: Uint8Array;
}

export const AcceptMember: RecordKind<AcceptMember> = record("AcceptMember", {
  member: bytes(8),
}, 0x2a);

/** The aggregator takes in a site whose owner asked. Receipt: the first interval in which it is a member. */
export function acceptMember(fields: Fields<AcceptMember>): AcceptMember {
  return build(AcceptMember, fields);
}

/**
 * The owner takes its site out, or its request back. Receipt: the first interval in which it is no member; 0 when it
 * never was one.
 */
export interface LeavePortfolio {
  readonly kind: "LeavePortfolio";
  readonly member: Uint8Array;
}

export const LeavePortfolio: RecordKind<LeavePortfolio> = record("LeavePortfolio", {
  member: bytes(8),
}, 0x2b);

/**
 * The owner takes its site out, or its request back. Receipt: the first interval in which it is no member; 0 when it
 * never was one.
 */
export function leavePortfolio(fields: Fields<LeavePortfolio>): LeavePortfolio {
  return build(LeavePortfolio, fields);
}

/** The aggregator, or the registrar, takes a site out, or refuses its request. Receipt as for leaving. */
export interface ExcludeMember {
  readonly kind: "ExcludeMember";
  readonly member: Uint8Array;
}

export const ExcludeMember: RecordKind<ExcludeMember> = record("ExcludeMember", {
  member: bytes(8),
}, 0x2c);

/** The aggregator, or the registrar, takes a site out, or refuses its request. Receipt as for leaving. */
export function excludeMember(fields: Fields<ExcludeMember>): ExcludeMember {
  return build(ExcludeMember, fields);
}

/**
 * The registrar describes the battery of a site. `alone`: nothing else is behind its meter; then `level_wh` is in it
 * while the meter shows `import_wh` and `export_wh`.
 */
export interface RegisterStorage {
  readonly kind: "RegisterStorage";
  readonly portfolio: Uint8Array;
  readonly capacityWh: bigint;
  readonly chargeW: number;
  readonly efficiencyPpm: number;
  readonly alone: boolean;
  readonly levelWh: bigint;
  readonly importWh: bigint;
  readonly exportWh: bigint;
}

export const RegisterStorage: RecordKind<RegisterStorage> = record("RegisterStorage", {
  portfolio: bytes(8),
  capacityWh: WHOLE,
  chargeW: number(100_000_000_000),
  efficiencyPpm: number(1_000_000),
  alone: FLAG,
  levelWh: WHOLE,
  importWh: whole(9_007_199_254_740_992n),
  exportWh: whole(9_007_199_254_740_992n),
}, 0x2d);

/**
 * The registrar describes the battery of a site. `alone`: nothing else is behind its meter; then `level_wh` is in it
 * while the meter shows `import_wh` and `export_wh`.
 */
export function registerStorage(fields: Fields<RegisterStorage>): RegisterStorage {
  return build(RegisterStorage, fields);
}

/**
 * The authority admits a node, gives it another key, or takes its licence to sign batches. Only on a chain without a
 * consortium.
 */
export interface SetNode {
  readonly kind: "SetNode";
  readonly node: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly licensed: boolean;
}

export const SetNode: RecordKind<SetNode> = record("SetNode", {
  node: bytes(8),
  publicKey: bytes(32),
  licensed: FLAG,
}, 0x30);

/**
 * The authority admits a node, gives it another key, or takes its licence to sign batches. Only on a chain without a
 * consortium.
 */
export function setNode(fields: Fields<SetNode>): SetNode {
  return build(SetNode, fields);
}

/**
 * The authority lets a key vote with this power on behalf of a node; power 0 removes it. Only on a chain without a
 * consortium.
 */
export interface SetValidator {
  readonly kind: "SetValidator";
  readonly publicKey: Uint8Array;
  readonly power: number;
  readonly node: Uint8Array;
}

export const SetValidator: RecordKind<SetValidator> = record("SetValidator", {
  publicKey: bytes(32),
  power: number(1_000_000_000_000_000),
  node: bytes(8),
}, 0x31);

/**
 * The authority lets a key vote with this power on behalf of a node; power 0 removes it. Only on a chain without a
 * consortium.
 */
export function setValidator(fields: Fields<SetValidator>): SetValidator {
  return build(SetValidator, fields);
}

/**
 * Anybody proves that a node signed for a transaction that no honest node takes in: malformed, or badly signed.
 * `path` leads from the transaction to the root in the batch's header: (sibling stands on the right, hash).
 */
export interface ReportBatch {
  readonly kind: "ReportBatch";
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly transaction: Uint8Array;
  readonly path: readonly (readonly [boolean, Uint8Array])[];
}

export const ReportBatch: RecordKind<ReportBatch> = record("ReportBatch", {
  header: bytes(0, 512),
  signature: bytes(64),
  publicKey: bytes(32),
  transaction: bytes(0, 16384),
  path: list(tuple(FLAG, bytes(32)), 0, 11),
}, 0x32);

/**
 * Anybody proves that a node signed for a transaction that no honest node takes in: malformed, or badly signed.
 * `path` leads from the transaction to the root in the batch's header: (sibling stands on the right, hash).
 */
export function reportBatch(fields: Fields<ReportBatch>): ReportBatch {
  return build(ReportBatch, fields);
}

/**
 * An organisation, the sender's participant `member`, asks to become one; `stake_micro` of the sender's WATT is held
 * from now on. The node's key and the key that would vote sign `signed_application`, which names it: nobody applies
 * with a key that is another's, nor with a copy of another's signatures.
 */
export interface Apply {
  readonly kind: "Apply";
  readonly member: Uint8Array;
  readonly name: string;
  readonly taxId: string;
  readonly group: number;
  readonly tier: number;
  readonly zone: number;
  readonly node: Uint8Array;
  readonly nodeKey: Uint8Array;
  readonly consensusKey: Uint8Array;
  readonly documents: readonly Uint8Array[];
  readonly stakeMicro: bigint;
  readonly nodeSignature: Uint8Array;
  readonly consensusSignature: Uint8Array;
}

export const Apply: RecordKind<Apply> = record("Apply", {
  member: bytes(8),
  name: text(1, 120),
  taxId: text(13, 13),
  group: SMALL,
  tier: SMALL,
  zone: SMALL,
  node: bytes(8),
  nodeKey: bytes(32),
  consensusKey: bytes(32),
  documents: list(bytes(32), 1, 16),
  stakeMicro: WHOLE,
  nodeSignature: bytes(64),
  consensusSignature: bytes(64),
}, 0x33);

/**
 * An organisation, the sender's participant `member`, asks to become one; `stake_micro` of the sender's WATT is held
 * from now on. The node's key and the key that would vote sign `signed_application`, which names it: nobody applies
 * with a key that is another's, nor with a copy of another's signatures.
 */
export function apply(fields: Fields<Apply>): Apply {
  return build(Apply, fields);
}

/** A primary member says that it saw the candidate's documents, and that it is the legal entity it says it is. */
export interface Attest {
  readonly kind: "Attest";
  readonly member: Uint8Array;
}

export const Attest: RecordKind<Attest> = record("Attest", {
  member: bytes(8),
}, 0x34);

/** A primary member says that it saw the candidate's documents, and that it is the legal entity it says it is. */
export function attest(fields: Fields<Attest>): Attest {
  return build(Attest, fields);
}

/** A member says that the candidate should come. */
export interface Endorse {
  readonly kind: "Endorse";
  readonly member: Uint8Array;
}

export const Endorse: RecordKind<Endorse> = record("Endorse", {
  member: bytes(8),
}, 0x35);

/** A member says that the candidate should come. */
export function endorse(fields: Fields<Endorse>): Endorse {
  return build(Endorse, fields);
}

/**
 * The node of a candidate or of a reserve names the block at a checkpoint in time: it follows the chain. Anybody may
 * carry it; the node's key signs.
 */
export interface Observed {
  readonly kind: "Observed";
  readonly member: Uint8Array;
  readonly height: bigint;
  readonly headerHash: Uint8Array;
  readonly nodeKey: Uint8Array;
  readonly signature: Uint8Array;
}

export const Observed: RecordKind<Observed> = record("Observed", {
  member: bytes(8),
  height: WHOLE,
  headerHash: bytes(32),
  nodeKey: bytes(32),
  signature: bytes(64),
}, 0x36);

/**
 * The node of a candidate or of a reserve names the block at a checkpoint in time: it follows the chain. Anybody may
 * carry it; the node's key signs.
 */
export function observed(fields: Fields<Observed>): Observed {
  return build(Observed, fields);
}

/**
 * A member proposes an act. `subject` is a member, for `LICENSE` a node, else nothing; `value` is what the act needs
 * besides, encoded: `ConsortiumTerms`, `NodeLicence` or `Replacement`. It counts as the proposer's vote, if it has
 * one. The receipt shows the proposal's number.
 */
export interface Propose {
  readonly kind: "Propose";
  readonly act: number;
  readonly subject: Uint8Array;
  readonly value: Uint8Array;
}

export const Propose: RecordKind<Propose> = record("Propose", {
  act: SMALL,
  subject: bytes(0, 8),
  value: bytes(0, 512),
}, 0x37);

/**
 * A member proposes an act. `subject` is a member, for `LICENSE` a node, else nothing; `value` is what the act needs
 * besides, encoded: `ConsortiumTerms`, `NodeLicence` or `Replacement`. It counts as the proposer's vote, if it has
 * one. The receipt shows the proposal's number.
 */
export function propose(fields: Fields<Propose>): Propose {
  return build(Propose, fields);
}

/** A member votes, once. */
export interface Vote {
  readonly kind: "Vote";
  readonly proposal: bigint;
  readonly yes: boolean;
}

export const Vote: RecordKind<Vote> = record("Vote", {
  proposal: WHOLE,
  yes: FLAG,
}, 0x38);

/** A member votes, once. */
export function vote(fields: Fields<Vote>): Vote {
  return build(Vote, fields);
}

/** A member's node or consensus key is replaced by one that it shows to have. */
export interface RotateKey {
  readonly kind: "RotateKey";
  readonly member: Uint8Array;
  readonly key: number;
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
}

export const RotateKey: RecordKind<RotateKey> = record("RotateKey", {
  member: bytes(8),
  key: SMALL,
  publicKey: bytes(32),
  signature: bytes(64),
}, 0x39);

/** A member's node or consensus key is replaced by one that it shows to have. */
export function rotateKey(fields: Fields<RotateKey>): RotateKey {
  return build(RotateKey, fields);
}

/** A candidate takes its application back; a member leaves. */
export interface Withdraw {
  readonly kind: "Withdraw";
}

export const Withdraw: RecordKind<Withdraw> = record("Withdraw", {}, 0x3a);

/** A candidate takes its application back; a member leaves. */
export function withdraw(fields: Fields<Withdraw>): Withdraw {
  return build(Withdraw, fields);
}

/**
 * What a link carries from its one end to the other (`forward_w`) and back, in intervals that open from now on. A
 * border's ends are two zones, `first` and `second`, as the sender names them; it is the transmission operator's. A
 * feeder's link leads from feeder `first` into its zone (`second` is 0); it is the distributor's of that zone.
 * Receipt: the first interval for which it counts.
 */
export interface SetLimit {
  readonly kind: "SetLimit";
  readonly link: number;
  readonly first: number;
  readonly second: number;
  readonly forwardW: number;
  readonly backwardW: number;
}

export const SetLimit: RecordKind<SetLimit> = record("SetLimit", {
  link: SMALL,
  first: number(65_535),
  second: SMALL,
  forwardW: number(100_000_000_000),
  backwardW: number(100_000_000_000),
}, 0x50);

/**
 * What a link carries from its one end to the other (`forward_w`) and back, in intervals that open from now on. A
 * border's ends are two zones, `first` and `second`, as the sender names them; it is the transmission operator's. A
 * feeder's link leads from feeder `first` into its zone (`second` is 0); it is the distributor's of that zone.
 * Receipt: the first interval for which it counts.
 */
export function setLimit(fields: Fields<SetLimit>): SetLimit {
  return build(SetLimit, fields);
}

/**
 * What a link carries in some intervals that are open, from `interval` on: an outage, or more than usual. Ends and
 * senders as for a limit. What is traded already stays traded. Receipt: how many intervals changed.
 */
export interface SetCapacity {
  readonly kind: "SetCapacity";
  readonly link: number;
  readonly first: number;
  readonly second: number;
  readonly interval: number;
  readonly intervals: number;
  readonly forwardW: number;
  readonly backwardW: number;
}

export const SetCapacity: RecordKind<SetCapacity> = record("SetCapacity", {
  link: SMALL,
  first: number(65_535),
  second: SMALL,
  interval: number(4_294_967_295),
  intervals: SMALL,
  forwardW: number(100_000_000_000),
  backwardW: number(100_000_000_000),
}, 0x51);

/**
 * What a link carries in some intervals that are open, from `interval` on: an outage, or more than usual. Ends and
 * senders as for a limit. What is traded already stays traded. Receipt: how many intervals changed.
 */
export function setCapacity(fields: Fields<SetCapacity>): SetCapacity {
  return build(SetCapacity, fields);
}

/**
 * Buy or sell energy of one delivery interval. `source`: of a sell order, its source; of a buy order, the bit mask of
 * sources it accepts (any: 127). `market`: the limit is the tariff (buy) or the buy-back (sell), and what does not
 * fill at once is cancelled; then `price_micro` is 0. `minimum_wh` fills at once or the order is refused; 0 for none.
 * `good_till_ms` is 0 unless the order is good till time. `scope`: how far it looks. `display_wh`: an iceberg, of
 * which the book shows so much at a time; 0 shows all. Receipt: place, filled Wh, resting Wh.
 */
export interface PlaceOrder {
  readonly kind: "PlaceOrder";
  readonly portfolio: Uint8Array;
  readonly clientId: Uint8Array;
  readonly interval: number;
  readonly side: number;
  readonly priceMicro: bigint;
  readonly quantityWh: bigint;
  readonly source: number;
  readonly timeInForce: number;
  readonly goodTillMs: bigint;
  readonly minimumWh: bigint;
  readonly postOnly: boolean;
  readonly market: boolean;
  readonly scope: number;
  readonly displayWh: bigint;
}

export const PlaceOrder: RecordKind<PlaceOrder> = record("PlaceOrder", {
  portfolio: bytes(8),
  clientId: bytes(8),
  interval: number(4_294_967_295),
  side: SMALL,
  priceMicro: WHOLE,
  quantityWh: WHOLE,
  source: SMALL,
  timeInForce: SMALL,
  goodTillMs: WHOLE,
  minimumWh: WHOLE,
  postOnly: FLAG,
  market: FLAG,
  scope: SMALL,
  displayWh: WHOLE,
}, 0x60);

/**
 * Buy or sell energy of one delivery interval. `source`: of a sell order, its source; of a buy order, the bit mask of
 * sources it accepts (any: 127). `market`: the limit is the tariff (buy) or the buy-back (sell), and what does not
 * fill at once is cancelled; then `price_micro` is 0. `minimum_wh` fills at once or the order is refused; 0 for none.
 * `good_till_ms` is 0 unless the order is good till time. `scope`: how far it looks. `display_wh`: an iceberg, of
 * which the book shows so much at a time; 0 shows all. Receipt: place, filled Wh, resting Wh.
 */
export function placeOrder(fields: Fields<PlaceOrder>): PlaceOrder {
  return build(PlaceOrder, fields);
}

/**
 * Take an open order back, or a block order that waits. Receipt: Wh that were still open (of a block order: in all
 * its intervals).
 */
export interface CancelOrder {
  readonly kind: "CancelOrder";
  readonly clientId: Uint8Array;
}

export const CancelOrder: RecordKind<CancelOrder> = record("CancelOrder", {
  clientId: bytes(8),
}, 0x61);

/**
 * Take an open order back, or a block order that waits. Receipt: Wh that were still open (of a block order: in all
 * its intervals).
 */
export function cancelOrder(fields: Fields<CancelOrder>): CancelOrder {
  return build(CancelOrder, fields);
}

/**
 * Change the limit or the open quantity. A smaller quantity at the same limit keeps the place; anything else goes to
 * the back of the queue as a new order would. Receipt as for a placement.
 */
export interface AmendOrder {
  readonly kind: "AmendOrder";
  readonly clientId: Uint8Array;
  readonly priceMicro: bigint;
  readonly remainingWh: bigint;
}

export const AmendOrder: RecordKind<AmendOrder> = record("AmendOrder", {
  clientId: bytes(8),
  priceMicro: WHOLE,
  remainingWh: WHOLE,
}, 0x62);

/**
 * Change the limit or the open quantity. A smaller quantity at the same limit keeps the place; anything else goes to
 * the back of the queue as a new order would. Receipt as for a placement.
 */
export function amendOrder(fields: Fields<AmendOrder>): AmendOrder {
  return build(AmendOrder, fields);
}

/** The operator sets new parameters, for intervals that have not opened yet. */
export interface SetTerms {
  readonly kind: "SetTerms";
  readonly terms: Terms;
}

export const SetTerms: RecordKind<SetTerms> = record("SetTerms", {
  terms: Terms,
}, 0x63);

/** The operator sets new parameters, for intervals that have not opened yet. */
export function setTerms(fields: Fields<SetTerms>): SetTerms {
  return build(SetTerms, fields);
}

/** The operator declares a day (days since the epoch, Bangkok time) off-peak, or takes it back. */
export interface SetHoliday {
  readonly kind: "SetHoliday";
  readonly day: number;
  readonly holiday: boolean;
}

export const SetHoliday: RecordKind<SetHoliday> = record("SetHoliday", {
  day: number(2_147_483_648),
  holiday: FLAG,
}, 0x64);

/** The operator declares a day (days since the epoch, Bangkok time) off-peak, or takes it back. */
export function setHoliday(fields: Fields<SetHoliday>): SetHoliday {
  return build(SetHoliday, fields);
}

/**
 * The operator halts trade: of one delivery interval or all (`interval` 0), in one zone or all (`zone` 0), until a
 * time or until it resumes (`until_ms` 0), for a reason. Halted again, it is as the last says. Receipt: nothing.
 */
export interface Halt {
  readonly kind: "Halt";
  readonly interval: number;
  readonly zone: number;
  readonly untilMs: bigint;
  readonly reason: number;
}

export const Halt: RecordKind<Halt> = record("Halt", {
  interval: number(4_294_967_295),
  zone: SMALL,
  untilMs: WHOLE,
  reason: SMALL,
}, 0x65);

/**
 * The operator halts trade: of one delivery interval or all (`interval` 0), in one zone or all (`zone` 0), until a
 * time or until it resumes (`until_ms` 0), for a reason. Halted again, it is as the last says. Receipt: nothing.
 */
export function halt(fields: Fields<Halt>): Halt {
  return build(Halt, fields);
}

/**
 * The operator ends a halt, its own or the ledger's, named as it was: what has collected meets in a call first.
 * Receipt: nothing.
 */
export interface Resume {
  readonly kind: "Resume";
  readonly interval: number;
  readonly zone: number;
}

export const Resume: RecordKind<Resume> = record("Resume", {
  interval: number(4_294_967_295),
  zone: SMALL,
}, 0x66);

/**
 * The operator ends a halt, its own or the ledger's, named as it was: what has collected meets in a call first.
 * Receipt: nothing.
 */
export function resume(fields: Fields<Resume>): Resume {
  return build(Resume, fields);
}

/**
 * The operator says what makers of a zone do from now on: for intervals that open later, and for makers who enrol
 * later. Duties that have begun stay as they are.
 */
export interface SetMakerProgramme {
  readonly kind: "SetMakerProgramme";
  readonly zone: number;
  readonly programme: MakerTerms;
}

export const SetMakerProgramme: RecordKind<SetMakerProgramme> = record("SetMakerProgramme", {
  zone: SMALL,
  programme: MakerTerms,
}, 0x67);

/**
 * The operator says what makers of a zone do from now on: for intervals that open later, and for makers who enrol
 * later. Duties that have begun stay as they are.
 */
export function setMakerProgramme(fields: Fields<SetMakerProgramme>): SetMakerProgramme {
  return build(SetMakerProgramme, fields);
}

/** Be a maker of the zone in which one's portfolio lies. Receipt: the first interval in which it is one. */
export interface EnrolMaker {
  readonly kind: "EnrolMaker";
  readonly portfolio: Uint8Array;
}

export const EnrolMaker: RecordKind<EnrolMaker> = record("EnrolMaker", {
  portfolio: bytes(8),
}, 0x68);

/** Be a maker of the zone in which one's portfolio lies. Receipt: the first interval in which it is one. */
export function enrolMaker(fields: Fields<EnrolMaker>): EnrolMaker {
  return build(EnrolMaker, fields);
}

/**
 * A maker leaves, or the operator ends it, for intervals that have not opened. Receipt: the first interval in which
 * it is none; 0 if it never was one.
 */
export interface EndMaker {
  readonly kind: "EndMaker";
  readonly portfolio: Uint8Array;
}

export const EndMaker: RecordKind<EndMaker> = record("EndMaker", {
  portfolio: bytes(8),
}, 0x69);

/**
 * A maker leaves, or the operator ends it, for intervals that have not opened. Receipt: the first interval in which
 * it is none; 0 if it never was one.
 */
export function endMaker(fields: Fields<EndMaker>): EndMaker {
  return build(EndMaker, fields);
}

/**
 * Buy or sell the same energy in each of several consecutive delivery intervals (`interval` is the earliest of them,
 * `intervals` their number, 2 to 96): all of it in all of them at once, or nothing. `quantity_wh` is that of one
 * interval, `price_micro` the limit in each. `source` and `scope` as of an order. `time_in_force`: till the gate,
 * till `good_till_ms`, or fill or kill; what cannot be filled at once waits beside the books until then, at the
 * longest until trading ends in one of its intervals. `CancelOrder` takes it back. Receipt: place, filled Wh, waiting
 * Wh, both of all intervals.
 */
export interface PlaceBlockOrder {
  readonly kind: "PlaceBlockOrder";
  readonly portfolio: Uint8Array;
  readonly clientId: Uint8Array;
  readonly interval: number;
  readonly intervals: number;
  readonly side: number;
  readonly priceMicro: bigint;
  readonly quantityWh: bigint;
  readonly source: number;
  readonly timeInForce: number;
  readonly goodTillMs: bigint;
  readonly scope: number;
}

export const PlaceBlockOrder: RecordKind<PlaceBlockOrder> = record("PlaceBlockOrder", {
  portfolio: bytes(8),
  clientId: bytes(8),
  interval: number(4_294_967_295),
  intervals: SMALL,
  side: SMALL,
  priceMicro: WHOLE,
  quantityWh: WHOLE,
  source: SMALL,
  timeInForce: SMALL,
  goodTillMs: WHOLE,
  scope: SMALL,
}, 0x6a);

/**
 * Buy or sell the same energy in each of several consecutive delivery intervals (`interval` is the earliest of them,
 * `intervals` their number, 2 to 96): all of it in all of them at once, or nothing. `quantity_wh` is that of one
 * interval, `price_micro` the limit in each. `source` and `scope` as of an order. `time_in_force`: till the gate,
 * till `good_till_ms`, or fill or kill; what cannot be filled at once waits beside the books until then, at the
 * longest until trading ends in one of its intervals. `CancelOrder` takes it back. Receipt: place, filled Wh, waiting
 * Wh, both of all intervals.
 */
export function placeBlockOrder(fields: Fields<PlaceBlockOrder>): PlaceBlockOrder {
  return build(PlaceBlockOrder, fields);
}

/**
 * Anybody may carry readings; the meters signed them. All count or none does. One that comes after its interval was
 * estimated is the one correction.
 */
export interface SubmitReadings {
  readonly kind: "SubmitReadings";
  readonly chain: string;
  readonly readings: readonly Reading[];
}

export const SubmitReadings: RecordKind<SubmitReadings> = record("SubmitReadings", {
  chain: text(1, 64),
  readings: list(Reading, 1, 64),
}, 0x70);

/**
 * Anybody may carry readings; the meters signed them. All count or none does. One that comes after its interval was
 * estimated is the one correction.
 */
export function submitReadings(fields: Fields<SubmitReadings>): SubmitReadings {
  return build(SubmitReadings, fields);
}

/** The distributor of the site's zone replaces a reading, once, with cause, in the correction window. */
export interface CorrectReading {
  readonly kind: "CorrectReading";
  readonly chain: string;
  readonly reading: Reading;
  readonly cause: number;
}

export const CorrectReading: RecordKind<CorrectReading> = record("CorrectReading", {
  chain: text(1, 64),
  reading: Reading,
  cause: SMALL,
}, 0x71);

/** The distributor of the site's zone replaces a reading, once, with cause, in the correction window. */
export function correctReading(fields: Fields<CorrectReading>): CorrectReading {
  return build(CorrectReading, fields);
}

/** Anything that an account can ask for. */
export type Message =
  | Transfer
  | Mint
  | RequestRedemption
  | ConfirmRedemption
  | RefuseRedemption
  | AttestReserves
  | RegisterParticipant
  | UpdateParticipant
  | SuspendParticipant
  | RegisterAccount
  | RotateKeys
  | RegisterSite
  | RegisterPortfolio
  | ReplaceMeterKey
  | OpenPortfolio
  | JoinPortfolio
  | AcceptMember
  | LeavePortfolio
  | ExcludeMember
  | RegisterStorage
  | SetNode
  | SetValidator
  | ReportBatch
  | Apply
  | Attest
  | Endorse
  | Observed
  | Propose
  | Vote
  | RotateKey
  | Withdraw
  | SetLimit
  | SetCapacity
  | PlaceOrder
  | CancelOrder
  | AmendOrder
  | SetTerms
  | SetHoliday
  | Halt
  | Resume
  | SetMakerProgramme
  | EnrolMaker
  | EndMaker
  | PlaceBlockOrder
  | SubmitReadings
  | CorrectReading;

/** Any of them, told apart by their tags. */
export const Message: UnionKind<Message> = {
  is: "union",
  of: [
    Transfer,
    Mint,
    RequestRedemption,
    ConfirmRedemption,
    RefuseRedemption,
    AttestReserves,
    RegisterParticipant,
    UpdateParticipant,
    SuspendParticipant,
    RegisterAccount,
    RotateKeys,
    RegisterSite,
    RegisterPortfolio,
    ReplaceMeterKey,
    OpenPortfolio,
    JoinPortfolio,
    AcceptMember,
    LeavePortfolio,
    ExcludeMember,
    RegisterStorage,
    SetNode,
    SetValidator,
    ReportBatch,
    Apply,
    Attest,
    Endorse,
    Observed,
    Propose,
    Vote,
    RotateKey,
    Withdraw,
    SetLimit,
    SetCapacity,
    PlaceOrder,
    CancelOrder,
    AmendOrder,
    SetTerms,
    SetHoliday,
    Halt,
    Resume,
    SetMakerProgramme,
    EnrolMaker,
    EndMaker,
    PlaceBlockOrder,
    SubmitReadings,
    CorrectReading,
  ],
};
