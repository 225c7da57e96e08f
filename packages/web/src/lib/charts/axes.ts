/** Axes and paths that all charts share. */

import uPlot from "uplot";

import type { Format } from "../format";
import type { Colours } from "./colours";

const FONT = '12px "IBM Plex Sans Thai", system-ui, sans-serif';
const QUARTERS_BETWEEN_LABELS = [4, 8, 12, 16, 24, 48];
const LABEL_WIDTH = 52;

/** Numbered delivery intervals from left to right, labelled with their time at full hours. */
export function intervalAxis(format: Format, colours: Colours): uPlot.Axis {
  return {
    ...plain(colours),
    size: 28,
    grid: { show: false },
    splits: (plot, _axis, least, most) => {
      const quarters = most - least;
      const fits = Math.max(1, plot.bbox.width / devicePixelRatio / LABEL_WIDTH);
      const step = QUARTERS_BETWEEN_LABELS.find((each) => quarters / each <= fits) ?? 96;
      const bangkokOffset = 28;
      const first = Math.ceil((least + bangkokOffset) / step) * step - bangkokOffset;
      return Array.from({ length: Math.max(0, Math.floor((most - first) / step) + 1) }, (_, place) => first + place * step);
    },
    values: (_plot, splits) => splits.map((interval) => format.time(interval * 900_000)),
  };
}

/** Values of a scale at the left, with hairlines. */
export function valueAxis(colours: Colours, text: (value: number) => string, scale = "y", size = 44): uPlot.Axis {
  return {
    ...plain(colours),
    scale,
    size,
    grid: { stroke: colours.line, width: 1 },
    values: (_plot, splits) => splits.map(text),
  };
}

function plain(colours: Colours): uPlot.Axis {
  return { stroke: colours.quiet, font: FONT, ticks: { show: false }, border: { show: false }, gap: 6 };
}

/** Holds each value until the next one. */
export const stepped = uPlot.paths.stepped!({ align: 1 });
/** Holds each value back to the one before. */
export const steppedBack = uPlot.paths.stepped!({ align: -1 });
export const bars = uPlot.paths.bars!({ size: [0.7, 14], align: 1 });
