/**
 * What an order holds and what a trade costs: the ledger's own formulas (`docs/market-rules.md`), in integers.
 *
 * Prices are in millionths of a WATT per kWh, energy in Wh; all results are in millionths of a WATT.
 */

import type { Given } from "./kinds.js";
import type { Terms } from "./messages.generated.js";
import type { Whole } from "./money.js";

const WH_PER_KWH = 1_000n;
const PARTS_PER_MILLION = 1_000_000n;

/** The parameters that money depends on: of `Terms` (a record) or of `TermsView` (an answer). */
export type FeeTerms = Given<
  Pick<
    Terms,
    | "gridFeePpm"
    | "tradingFeePpm"
    | "wheelingBaseMicro"
    | "wheelingFeederMicro"
    | "wheelingBorderMicro"
    | "undeliveredSpreadMicro"
  >
>;

/** Price times energy; exact for prices on the tick, else rounded down. */
export function valueMicro(priceMicro: Whole, energyWh: Whole): bigint {
  return (BigInt(priceMicro) * BigInt(energyWh)) / WH_PER_KWH;
}

/** Limit times quantity, and the fees at their worst: as if all of it were energy value. */
export function buyerHoldMicro(terms: FeeTerms, priceMicro: Whole, energyWh: Whole): bigint {
  const value = valueMicro(priceMicro, energyWh);
  return value + part(value, terms.gridFeePpm) + part(value, terms.tradingFeePpm);
}

/**
 * Collateral: what buying the energy back from the residual supplier could cost beyond the price, rounded up, and the
 * trading fee.
 */
export function sellerHoldMicro(terms: FeeTerms, tariffMicro: Whole, priceMicro: Whole, energyWh: Whole): bigint {
  const above = BigInt(tariffMicro) - BigInt(priceMicro);
  const riskMicro = BigInt(terms.undeliveredSpreadMicro) + (above > 0n ? above : 0n);
  const collateral = (riskMicro * BigInt(energyWh) + WH_PER_KWH - 1n) / WH_PER_KWH;
  return collateral + part(valueMicro(priceMicro, energyWh), terms.tradingFeePpm);
}

/**
 * What wheeling costs per kWh between two feeders. `nearness`: 0 the same feeder, 1 the same zone, then one more for each
 * border, as in `DeliveredLevel`.
 */
export function wheelingPerKwhMicro(terms: FeeTerms, nearness: number): bigint {
  const base = BigInt(terms.wheelingBaseMicro);
  if (nearness === 0) return base;
  return base + BigInt(terms.wheelingFeederMicro) + BigInt(nearness - 1) * BigInt(terms.wheelingBorderMicro);
}

/** The money of one trade. The buyer pays all parts; the seller gets the value less its own trading fee. */
export interface TradeCost {
  readonly valueMicro: bigint;
  readonly gridFeeMicro: bigint;
  readonly wheelingMicro: bigint;
  /** Of each side. */
  readonly tradingFeeMicro: bigint;
  /** What the buyer pays in all. */
  readonly buyerMicro: bigint;
  /** What the seller gets. */
  readonly sellerMicro: bigint;
}

/**
 * `perKwhMicro` is what wheeling costs between the two feeders (`wheelingPerKwhMicro`). Fees round down; wheeling is exact.
 */
export function tradeCost(terms: FeeTerms, priceMicro: Whole, energyWh: Whole, perKwhMicro: Whole): TradeCost {
  const value = valueMicro(priceMicro, energyWh);
  const gridFee = part(value, terms.gridFeePpm);
  const tradingFee = part(value, terms.tradingFeePpm);
  const wheeling = valueMicro(perKwhMicro, energyWh);
  return {
    valueMicro: value,
    gridFeeMicro: gridFee,
    wheelingMicro: wheeling,
    tradingFeeMicro: tradingFee,
    buyerMicro: value + gridFee + wheeling + tradingFee,
    sellerMicro: value - tradingFee,
  };
}

function part(value: bigint, ppm: Whole): bigint {
  return (value * BigInt(ppm)) / PARTS_PER_MILLION;
}
