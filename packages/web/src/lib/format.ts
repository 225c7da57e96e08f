/**
 * Numbers, money, energy and time as people of a language write them. Pure: the same value and language, the same text.
 *
 * Times are milliseconds UTC and always shown as in Bangkok. Money and prices are millionths of a WATT (1 WATT = 1 THB).
 */

export type Language = "en" | "th";
export type Whole = number | bigint;

export const INTERVAL_MS = 900_000;
const TIME_ZONE = "Asia/Bangkok";
const DAY_MS = 86_400_000;
const BANGKOK_MS = 7 * 3_600_000;
const MINUS = "\u2212";

export interface Format {
  readonly language: Language;
  /** 1234 → "1,234". */
  whole(value: Whole): string;
  /** Decimal places are fixed, so that columns align. */
  decimal(value: number, places: number): string;
  /** 0.123 → "12.3 %" in the language's way. */
  percent(share: number): string;
  /** Millionths per kWh → THB per kWh, without unit. */
  price(micro: Whole, places?: number): string;
  /** Millionths → THB, without unit. */
  money(micro: Whole): string;
  /** As `money`, always with a sign. */
  moneySigned(micro: Whole): string;
  /** Wh → kWh, without unit. */
  energy(energyWh: Whole, places?: number): string;
  /** 10:15. */
  time(timeMs: number): string;
  /** 10:15:07. */
  clock(timeMs: number): string;
  /** Both ends of a delivery interval: 10:15–10:30. */
  interval(interval: number): string;
  /** Weekday, day, month. */
  day(timeMs: number): string;
  /** With the year: Buddhist era in Thai. */
  date(timeMs: number): string;
  /** Month and year: Buddhist era in Thai. */
  month(timeMs: number): string;
  /** Short date and clock, with the year. */
  moment(timeMs: number): string;
  /** Names in a sentence: "a, b and c". */
  list(names: readonly string[]): string;
  /** 65,000 ms → "1:05"; from an hour on "1:02:05". */
  countdown(durationMs: number): string;
}

/** Formatters of a language; each is made once. */
export function formatOf(language: Language): Format {
  return (made[language] ??= makeFormat(language));
}

const made: Partial<Record<Language, Format>> = {};

/** The first interval of the Bangkok day in which this moment lies. */
export function firstIntervalOfDay(timeMs: number): number {
  const dayStartMs = Math.floor((timeMs + BANGKOK_MS) / DAY_MS) * DAY_MS - BANGKOK_MS;
  return dayStartMs / INTERVAL_MS;
}

export function intervalAt(timeMs: number): number {
  return Math.floor(timeMs / INTERVAL_MS);
}

/** Mean price of trades in millionths per kWh; undefined when nothing was traded. */
export function meanPriceMicro(valueMicro: Whole, energyWh: Whole): number | undefined {
  return Number(energyWh) > 0 ? (Number(valueMicro) * 1000) / Number(energyWh) : undefined;
}

function makeFormat(language: Language): Format {
  const numbers = language === "th" ? "th-TH-u-nu-latn" : "en-GB";
  const dates = language === "th" ? "th-TH-u-ca-buddhist-nu-latn" : "en-GB";
  const wholes = new Intl.NumberFormat(numbers, { maximumFractionDigits: 0 });
  const decimals = Array.from(
    { length: 5 },
    (_, places) => new Intl.NumberFormat(numbers, { minimumFractionDigits: places, maximumFractionDigits: places }),
  );
  const percents = new Intl.NumberFormat(numbers, { style: "percent", maximumFractionDigits: 1 });
  const dateFormat = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat(dates, { timeZone: TIME_ZONE, hourCycle: "h23", ...options });
  const times = dateFormat({ hour: "2-digit", minute: "2-digit" });
  const clocks = dateFormat({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const days = dateFormat({ weekday: "short", day: "numeric", month: "short" });
  const fullDates = dateFormat({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
  const months = dateFormat({ month: "long", year: "numeric" });
  const moments = dateFormat({ day: "numeric", month: "short", year: "numeric" });

  const lists = new Intl.ListFormat(language, { type: "conjunction" });

  const decimal = (value: number, places: number): string => {
    const text = (decimals[places] ?? decimals[2]!).format(value);
    return /^-0[.,]?0*$/.test(text) ? text.slice(1) : text.replace("-", MINUS);
  };
  const money = (micro: Whole): string => decimal(Number(micro) / 1e6, 2);
  const time = (timeMs: number): string => times.format(timeMs);
  return {
    language,
    whole: (value) => wholes.format(value).replace("-", MINUS),
    decimal,
    percent: (share) => percents.format(share).replace("-", MINUS),
    price: (micro, places = 3) => decimal(Number(micro) / 1e6, places),
    money,
    moneySigned: (micro) => {
      const text = money(micro);
      return Number(micro) > 0 && /[1-9]/.test(text) ? `+${text}` : text;
    },
    energy: (energyWh, places = 2) => decimal(Number(energyWh) / 1000, places),
    time,
    clock: (timeMs) => clocks.format(timeMs),
    interval: (interval) => `${time(interval * INTERVAL_MS)}–${time((interval + 1) * INTERVAL_MS)}`,
    day: (timeMs) => days.format(timeMs),
    date: (timeMs) => fullDates.format(timeMs),
    month: (timeMs) => months.format(timeMs),
    moment: (timeMs) => `${moments.format(timeMs)} ${clocks.format(timeMs)}`,
    // In Thai "and" stands right between the names: Latin ones need a space on both sides.
    list: (names) =>
      lists
        .formatToParts(names)
        .map((part) => (part.type === "literal" ? `${part.value.trimEnd().replace(/^(?=\p{Letter})/u, " ")} ` : part.value))
        .join(""),
    countdown,
  };
}

function countdown(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1000));
  const two = (value: number): string => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
