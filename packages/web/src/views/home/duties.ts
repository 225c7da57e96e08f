/** What a maker still has to do for an interval, in figures. Pure. */

import type { OwnDutyView } from "@gridtokenx/sdk";

/** Energy that is to be shown more, in Wh, or by how much purchase and sale stand too far apart. */
export type Missing =
  | { readonly what: "buy" | "sell"; readonly energyWh: number }
  | { readonly what: "spread"; readonly priceMicro: bigint };

export function missingOf(duty: Pick<OwnDutyView, "missing" | "asked" | "shownBuyWh" | "shownSellWh" | "spreadMicro">): readonly Missing[] {
  const { asked } = duty;
  return duty.missing.flatMap((name): Missing[] => {
    if (name === "buy_size") return [{ what: "buy", energyWh: asked.sizeWh - duty.shownBuyWh }];
    if (name === "sell_size") return [{ what: "sell", energyWh: asked.sizeWh - duty.shownSellWh }];
    return [{ what: "spread", priceMicro: (duty.spreadMicro ?? asked.spreadMicro) - asked.spreadMicro }];
  });
}

/** Of the time that has counted so far; undefined before any has. */
export function presenceOf({ presentMs, countedMs }: Pick<OwnDutyView, "presentMs" | "countedMs">): number | undefined {
  return countedMs === 0 ? undefined : presentMs / countedMs;
}
