/**
 * Money, prices and energy as people read and type them, in English and Thai, from integers and without floats.
 *
 * `Micro` are millionths: of a WATT (1 WATT = 1 baht), or of a WATT per kWh. Energy is in Wh. A kWh is the "หน่วย" of Thai
 * bills. Rounding is to the nearest, halves away from zero.
 */

export type Language = "en" | "th";

export type Whole = bigint | number;

export const MICRO_DIGITS = 6;
export const KWH_DIGITS = 3;

/** How many digits stand behind the point. */
export interface Digits {
  /** At least so many, with zeros. */
  readonly least?: number;
  /** At most so many, rounded. */
  readonly most?: number;
}

/**
 * `value` / 10^`scale` with thousands grouped: `formatDecimal(-1234500000n, 6, { least: 2 })` is "−1,234.50". Throws
 * RangeError for a number that is not a safe integer.
 */
export function formatDecimal(value: Whole, scale: number, { least = 0, most = scale }: Digits = {}): string {
  const exact = wholeOf(value);
  const kept = Math.max(least, Math.min(most, scale));
  const size = rounded(exact < 0n ? -exact : exact, scale, kept);
  const digits = size.toString().padStart(kept + 1, "0");
  const point = digits.length - kept;
  const front = digits.slice(0, point).replace(/\B(?=(\d{3})+$)/g, ",");
  let back = digits.slice(point);
  while (back.length > least && back.endsWith("0")) back = back.slice(0, -1);
  return (exact < 0n && size !== 0n ? "−" : "") + front + (back && `.${back}`);
}

/** An amount of WATT: "4,747.25 WATT". At least two digits, at most six. */
export function formatWatt(amountMicro: Whole, digits: Digits = {}): string {
  return `${formatDecimal(amountMicro, MICRO_DIGITS, { least: 2, ...digits })} WATT`;
}

/** The same amount in baht: "฿4,747.25", "4,747.25 บาท". Two digits. */
export function formatBaht(amountMicro: Whole, language: Language, digits: Digits = {}): string {
  const text = formatDecimal(amountMicro, MICRO_DIGITS, { least: 2, most: 2, ...digits });
  if (language === "th") return `${text} บาท`;
  return text.startsWith("−") ? `−฿${text.slice(1)}` : `฿${text}`;
}

/** A price: "4.50 THB/kWh", "4.50 บาท/หน่วย". At least two digits, at most six. */
export function formatPrice(priceMicro: Whole, language: Language, digits: Digits = {}): string {
  const unit = language === "th" ? "บาท/หน่วย" : "THB/kWh";
  return `${formatDecimal(priceMicro, MICRO_DIGITS, { least: 2, ...digits })} ${unit}`;
}

/** Energy: "1.234 kWh", "1.234 หน่วย". At most three digits, so to the Wh. */
export function formatEnergy(energyWh: Whole, language: Language, digits: Digits = {}): string {
  return `${formatDecimal(energyWh, KWH_DIGITS, digits)} ${language === "th" ? "หน่วย" : "kWh"}`;
}

/**
 * What somebody typed, times 10^`scale`: `parseDecimal("4.5", 6)` is 4500000n. Commas between thousands and Thai digits are
 * understood; undefined for anything else than a plain number with at most `scale` digits behind the point.
 */
export function parseDecimal(typed: string, scale: number): bigint | undefined {
  const plain = typed.trim().replace(/[๐-๙]/g, (digit) => String(digit.charCodeAt(0) - 0x0e50));
  const match = /^([-−]?)(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?$/.exec(plain);
  if (match === null || plain.length > 40) return undefined;
  const [, sign, front, back = ""] = match;
  if (back.length > scale) return undefined;
  const size = BigInt(front!.replaceAll(",", "") + back.padEnd(scale, "0"));
  return sign ? -size : size;
}

/** Baht or WATT as typed, in millionths. */
export function parseWatt(typed: string): bigint | undefined {
  return parseDecimal(typed, MICRO_DIGITS);
}

/** Energy in kWh as typed, in Wh; undefined also for more than a number holds. */
export function parseEnergy(typed: string): number | undefined {
  const energyWh = parseDecimal(typed, KWH_DIGITS);
  return energyWh === undefined || energyWh > Number.MAX_SAFE_INTEGER ? undefined : Number(energyWh);
}

function rounded(size: bigint, scale: number, kept: number): bigint {
  if (kept >= scale) return size * 10n ** BigInt(kept - scale);
  const step = 10n ** BigInt(scale - kept);
  return (size + step / 2n) / step;
}

function wholeOf(value: Whole): bigint {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new RangeError(`${value} is not a whole number that is held exactly`);
  }
  return BigInt(value);
}
