/** Days and months as the API names them (YYYY-MM-DD, YYYY-MM), in Bangkok. Pure. */

const BANGKOK_MS = 7 * 3_600_000;

/** The day in which this moment lies. */
export function dayOf(timeMs: number): string {
  return new Date(timeMs + BANGKOK_MS).toISOString().slice(0, 10);
}

export function monthOf(day: string): string {
  return day.slice(0, 7);
}

/** The beginning of a day; NaN for what is no day. */
export function dayMs(day: string): number {
  return Date.parse(`${day}T00:00:00Z`) - BANGKOK_MS;
}

/** So many days, or months, later. What is neither stays as it is. */
export function shifted(name: string, step: number): string {
  const isMonth = name.length === 7;
  const date = new Date(Date.parse(isMonth ? `${name}-01T00:00:00Z` : `${name}T00:00:00Z`));
  if (Number.isNaN(date.getTime())) return name;
  if (isMonth) date.setUTCMonth(date.getUTCMonth() + step);
  else date.setUTCDate(date.getUTCDate() + step);
  return date.toISOString().slice(0, isMonth ? 7 : 10);
}

/** What stands in an address, if it is a month (7 characters) or a day (10). */
export function known(text: string | null, length: 7 | 10): string | undefined {
  return text !== null && text.length === length && shifted(text, 0) === text && !Number.isNaN(Date.parse(text)) ? text : undefined;
}
