/** What a trade costs its buyer and brings its seller, per kWh, all fees of the market's terms included. Pure. */

export interface Fees {
  readonly gridFeePpm: number;
  readonly tradingFeePpm: number;
}

export interface PerUnit {
  readonly priceMicro: number;
  readonly buyerMicro: number;
  readonly sellerMicro: number;
}

/** Means over trades, weighted by energy; undefined without trades. Fees are not rounded here as the ledger rounds them. */
export function perUnit(
  trades: readonly { readonly quantityWh: number; readonly priceMicro: bigint; readonly wheelingMicro: bigint }[],
  fees: Fees,
): PerUnit | undefined {
  let energyWh = 0;
  let value = 0;
  let wheeling = 0;
  for (const trade of trades) {
    energyWh += trade.quantityWh;
    value += (Number(trade.priceMicro) / 1000) * trade.quantityWh;
    wheeling += Number(trade.wheelingMicro);
  }
  if (energyWh === 0) return undefined;
  const scale = 1000 / energyWh;
  const tradingFee = (value * fees.tradingFeePpm) / 1e6;
  return {
    priceMicro: value * scale,
    buyerMicro: (value + wheeling + (value * fees.gridFeePpm) / 1e6 + tradingFee) * scale,
    sellerMicro: (value - tradingFee) * scale,
  };
}
