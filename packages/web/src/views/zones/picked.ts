/** What is chosen on the map, as the address bar has it. Pure. */

export type Picked =
  | { readonly kind: "zone"; readonly zone: number }
  | { readonly kind: "border"; readonly first: number; readonly second: number };

/** `zone=2` or `border=1-2`; undefined for nothing, and for nonsense. */
export function pickedIn(query: URLSearchParams): Picked | undefined {
  const zone = /^\d{1,3}$/.exec(query.get("zone") ?? "");
  if (zone) return { kind: "zone", zone: Number(zone[0]) };
  const border = /^(\d{1,3})-(\d{1,3})$/.exec(query.get("border") ?? "");
  return border ? { kind: "border", first: Number(border[1]), second: Number(border[2]) } : undefined;
}

/** The address's part behind its path. */
export function queryOf(picked: Picked): string {
  return picked.kind === "zone" ? `?zone=${picked.zone}` : `?border=${picked.first}-${picked.second}`;
}
