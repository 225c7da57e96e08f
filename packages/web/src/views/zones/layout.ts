/**
 * Where zones stand on a schematic map: as they lie to each other in Thailand, not to scale. Zones of other names stand
 * on a ring. In hundredths of the map's width and height. Pure.
 */

export interface Spot {
  readonly x: number;
  readonly y: number;
}

/** In the order of their neighbours, from north to south. */
const THAILAND: Readonly<Record<string, Spot>> = {
  north: { x: 26, y: 8 },
  northeast: { x: 80, y: 18 },
  central: { x: 52, y: 35 },
  west: { x: 15, y: 46 },
  east: { x: 85, y: 60 },
  bangkok: { x: 50, y: 65 },
  south: { x: 24, y: 91 },
};

const MIDDLE = 50;
const RING_X = 35;
const RING_Y = 40;

/** By zone number. */
export function layout(zones: readonly { readonly zone: number; readonly name: string }[]): ReadonlyMap<number, Spot> {
  const known = zones.map(({ name }) => THAILAND[name.toLowerCase()]);
  if (new Set(known).size === zones.length && known.every((spot) => spot !== undefined)) {
    return new Map(zones.map(({ zone }, place) => [zone, known[place]!]));
  }
  return new Map(
    zones.map(({ zone }, place) => {
      const angle = (2 * Math.PI * place) / zones.length - Math.PI / 2;
      return [zone, { x: MIDDLE + RING_X * Math.cos(angle), y: MIDDLE + RING_Y * Math.sin(angle) }];
    }),
  );
}

/** Half way between two spots, and in which direction one looks from the first to the second: degrees from the right,
 * clockwise, on a map of this size in pixels. */
export function between(one: Spot, other: Spot, width: number, height: number): Spot & { readonly degrees: number } {
  const [across, down] = [((other.x - one.x) * width) / 100, ((other.y - one.y) * height) / 100];
  return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, degrees: (Math.atan2(down, across) * 180) / Math.PI };
}
