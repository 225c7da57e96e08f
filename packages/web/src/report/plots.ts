/** What the report's plots share. */

import type uPlot from "uplot";

import type { Colours } from "../lib/charts/colours";
import { intervalAxis } from "../lib/charts/axes";
import { INTERVAL_MS, type Format } from "../lib/format";

const INTERVALS_PER_DAY = 96;
const BANGKOK_OFFSET = 28;
const LABEL_WIDTH = 96;

/** A report is read, not followed. */
export const NO_CURSOR: uPlot.Cursor = { show: false };

/** Delivery intervals of several days, with a line and the date where each begins. */
export function dayAxis(format: Format, colours: Colours): uPlot.Axis {
  return {
    ...intervalAxis(format, colours),
    grid: { stroke: colours.line, width: 1 },
    splits: (plot, _axis, least, most) => {
      const fits = Math.max(1, plot.bbox.width / devicePixelRatio / LABEL_WIDTH);
      const step = Math.max(1, Math.ceil((most - least) / INTERVALS_PER_DAY / fits)) * INTERVALS_PER_DAY;
      const first = Math.ceil((least + BANGKOK_OFFSET) / INTERVALS_PER_DAY) * INTERVALS_PER_DAY - BANGKOK_OFFSET;
      return Array.from({ length: Math.max(0, Math.ceil((most - first) / step)) }, (_, place) => first + place * step);
    },
    values: (_plot, splits) => splits.map((interval) => format.day(interval * INTERVAL_MS)),
  };
}

/** Day and both ends of an interval, for tables. */
export function momentOf(format: Format, interval: number): string {
  return `${format.day(interval * INTERVAL_MS)} ${format.interval(interval)}`;
}
