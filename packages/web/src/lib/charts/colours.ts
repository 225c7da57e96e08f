/** The theme's colours for canvases, which know nothing of CSS variables. */

const NAMES = ["ground", "surface", "sunken", "ink", "quiet", "line", "line-strong", "sun", "buy", "buy-wash", "sell", "sell-wash", "tariff", "bad"] as const;

export type Colours = Readonly<Record<(typeof NAMES)[number], string>>;

/** As they are shown inside this element now. */
export function coloursIn(element: HTMLElement): Colours {
  const probe = document.createElement("span");
  probe.hidden = true;
  element.append(probe);
  const found = NAMES.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color] as const;
  });
  probe.remove();
  return Object.fromEntries(found) as Colours;
}

/** The same colour (as `coloursIn` gives it), so much of it. `share` from 0 to 1. */
export function faint(colour: string, share: number): string {
  return colour.replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`);
}
