/**
 * The report's data, as `gridtokenx.simulation.report.study` writes it into the page. Money in millionths of a WATT
 * (1 WATT = 1 THB), energy in Wh, prices in millionths per kWh, shares in per mille. Lists of records come as columns.
 */

export interface Home {
  readonly name: string;
  readonly participant: string;
  readonly bill_without_micro: number;
  readonly bill_with_micro: number;
  readonly saved_micro: number;
  readonly saved_with_vat_micro: number;
  readonly vat_micro: number;
  readonly vat_without_micro: number;
  readonly import_without_micro: number;
  readonly export_without_micro: number;
  readonly purchases_micro: number;
  readonly wheeling_micro: number;
  readonly grid_fee_micro: number;
  readonly trading_fee_micro: number;
  readonly supplied_micro: number;
  readonly undelivered_micro: number;
  readonly sales_micro: number;
  readonly returned_micro: number;
  readonly unused_micro: number;
  readonly import_wh: number;
  readonly export_wh: number;
  readonly import_without_wh: number;
  readonly export_without_wh: number;
  readonly sold_wh: number;
  readonly bought_wh: number;
  readonly undelivered_wh: number;
  readonly unused_wh: number;
  readonly load_wh: number;
  readonly pv_wh: number;
  readonly stored_wh: number;
  readonly stored_without_wh: number;
}

export interface Party {
  readonly name: string;
  readonly without_micro: number;
  readonly with_micro: number;
  readonly change_micro: number;
}

export interface Check {
  readonly name: string;
  readonly expected: number;
  readonly found: number;
}

export interface Run {
  readonly scenario: string;
  readonly chain: string;
  readonly seed: number;
  readonly first_interval: number;
  readonly intervals: number;
  readonly homes: readonly Home[];
  readonly losers_with_vat: readonly string[];
  readonly saved_micro: number;
  readonly saved_with_vat_micro: number;
  readonly vat_micro: number;
  readonly vat_without_micro: number;
  readonly trades: number;
  readonly traded_wh: number;
  readonly traded_micro: number;
  readonly average_price_micro: number;
  readonly own_use_permille: number;
  readonly own_use_without_permille: number;
  readonly self_sufficiency_permille: number;
  readonly self_sufficiency_without_permille: number;
  readonly sold_permille: number;
  readonly imbalance_wh: number;
  readonly arrears_micro: number;
  readonly load_wh: number;
  readonly pv_wh: number;
  readonly parties: readonly Party[];
  readonly checks: readonly Check[];
  readonly breaches: readonly string[];
  readonly app_hash: string;
  readonly blocks: number;
  readonly transactions: number;
}

/** Columns of equal length: one entry for each interval, day, hour or lead. */
type Columns<Names extends string> = Readonly<Record<Names, readonly number[]>>;

type EnergyAndMoney =
  | "trades"
  | "traded_wh"
  | "traded_micro"
  | "load_wh"
  | "pv_wh"
  | "from_neighbours_wh"
  | "supplied_wh"
  | "to_neighbours_wh"
  | "returned_wh"
  | "undelivered_wh"
  | "unused_wh"
  | "bill_micro"
  | "bill_without_micro"
  | "import_without_wh"
  | "export_without_wh";

export type Intervals = Columns<
  EnergyAndMoney | "interval" | "tariff_micro" | "lowest_price_micro" | "highest_price_micro" | "stored_wh" | "stored_without_wh"
>;
export type Groups = Columns<EnergyAndMoney | "first_interval" | "intervals" | "average_price_micro" | "average_tariff_micro">;

export interface Planned {
  readonly bill_micro: number;
  readonly stored_value_micro: number;
  readonly gain_micro: number;
  readonly intervals: Columns<"interval" | "traded_wh" | "supplied_wh" | "returned_wh" | "stored_wh">;
}

/** One zone in one run: what buyers paid for a kWh delivered, what sellers got; 0 where nothing was traded. */
export interface ZonePrices {
  readonly zone: string;
  readonly load_wh: number;
  readonly pv_wh: number;
  readonly bought_wh: number;
  readonly sold_wh: number;
  readonly delivered_price_micro: number;
  readonly sold_price_micro: number;
}

/** The same days with borders as they are, closed, or without limits. */
export interface CoupledRun {
  readonly name: "coupled" | "apart" | "unlimited";
  readonly welfare_micro: number;
  readonly gained_micro: number;
  readonly rent_micro: number;
  readonly wires_micro: number;
  readonly traded_wh: number;
  readonly crossed_wh: number;
  readonly auctioned_wh: number;
  readonly consumers_bill_micro: number;
  readonly consumers_without_micro: number;
  readonly producers_bill_micro: number;
  readonly producers_without_micro: number;
  readonly zones: readonly ZonePrices[];
}

export interface Study {
  readonly format: string;
  readonly scenario: {
    readonly name: string;
    readonly description: string;
    readonly zone: string;
    readonly feeder: string;
    readonly zones: number;
    readonly on_peak_micro: number;
    readonly off_peak_micro: number;
    readonly buy_back_micro: number;
    readonly wheeling_micro: number;
    readonly grid_fee_millionths: number;
    readonly trading_fee_millionths: number;
    readonly imbalance_spread_micro: number;
    readonly sites: readonly { name: string; pv_w: number; battery_wh: number; battery_w: number; agent: string }[];
  };
  readonly report: Run;
  readonly planner: {
    readonly found_micro: number;
    readonly stored_value_micro: number;
    readonly floor_price_micro: number;
    readonly fee_micro: number;
    readonly perfect: Planned;
    readonly daylight: Planned;
    readonly alone: Planned;
    readonly equal: Planned;
    readonly share_of_perfect_permille: number;
    readonly share_of_equal_permille: number;
  };
  /** Empty where all sites are in one zone. */
  readonly coupling: readonly CoupledRun[];
  readonly intervals: Intervals;
  readonly days: Groups;
  readonly hours: Groups;
  readonly leads: Columns<"lead_hours" | "samples" | "mean_absolute_wh" | "error_permille" | "bias_permille">;
  readonly forecast_errors: Columns<"lead_hours" | "samples" | "mean_absolute_wh" | "bias_wh" | "actual_absolute_wh"> & {
    readonly site: readonly string[];
  };
}

/** The data that stands in the page. Throws where there is none, as in the template. */
export function readStudy(): Study {
  return JSON.parse(document.getElementById("report")!.textContent!) as Study;
}

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** The place of the largest value; -1 in an empty list. */
export function placeOfLargest(values: readonly number[]): number {
  return values.reduce((best, value, place) => (best < 0 || value > values[best]! ? place : best), -1);
}

/** Part of a whole; 0 of nothing. */
export const share = (part: number, whole: number): number => (whole ? part / whole : 0);
