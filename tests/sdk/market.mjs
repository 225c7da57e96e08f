// A seller and a buyer at a running gateway, from the first order to the proofs: ADDRESS SELLER BUYER (secrets).

import * as sdk from "../../packages/sdk/dist/index.js";

const [address, ...secrets] = process.argv.slice(2);
const client = new sdk.Client(address);
const [seller, buyer] = secrets.map((secret) => new sdk.Wallet([new sdk.PrivateKey(sdk.fromHex(secret))]));
const { intervals } = await client.intervals();
const { interval } = intervals.at(-1);
const portfolios = [];
for (const wallet of [seller, buyer]) portfolios.push(sdk.fromHex((await client.account(wallet)).portfolios[0]));

const offer = sdk.sellOrder({
  portfolio: portfolios[0],
  interval,
  priceMicro: 3_000_000n,
  quantityWh: 1_000,
  source: sdk.Source.SOLAR,
});
await client.execute(seller, [offer]);
const wish = { portfolio: portfolios[1], interval, priceMicro: 3_400_000n, quantityWh: 400 };
const bought = await client.execute(buyer, [sdk.buyOrder(wish)]);
const order = await client.order(seller, offer.clientId);

const block = await client.block(bought.height);
const transactionId = sdk.fromHex(bought.id);
const proof = await client.receiptProof(transactionId);
const receipt = sdk.checkReceipt(sdk.fromHex(block.appHash), transactionId, proof);

const shown = await client.recordProof(seller, { record: "order", clientId: offer.clientId });
const key = sdk.stateKey(sdk.ORDERS, sdk.orderKey(seller.account, offer.clientId));
const { appHash } = await client.block(shown.height);
const record = sdk.readRecord(sdk.ORDERS, sdk.checkRecord(sdk.fromHex(appHash), key, shown));

await client.execute(seller, [sdk.amendOrder({ clientId: offer.clientId, priceMicro: 3_100_000n, remainingWh: 500 })]);
await client.execute(seller, [sdk.cancelOrder({ clientId: offer.clientId })]);
const codes = [];
for (const message of [
  sdk.cancelOrder({ clientId: offer.clientId }),
  sdk.placeOrder({ ...offer, clientId: sdk.newClientId(), priceMicro: 3_000_001n }),
]) {
  codes.push(await client.execute(seller, [message]).then(String, (error) => error.name));
}
const many = await client.sendMany(
  seller,
  Array.from({ length: 20 }, (_, number) => [
    sdk.sellOrder({ ...offer, clientId: sdk.newClientId(), priceMicro: 3_500_000n + 1_000n * BigInt(number), quantityWh: 100 }),
  ]),
);
const views = await Promise.all(many.map(({ transaction }) => client.wait(transaction)));
const again = await client.submit(many.map(({ transaction }) => transaction.wire));
const book = await client.book(interval, { feeder: 11 });
const checksum = sdk.checksumOf(book.bids, book.asks);
const stranger = await client.account(new sdk.Wallet([sdk.PrivateKey.generate()])).catch((error) => error.name);
const { current } = await client.terms();
const trade = (await client.trades()).trades.at(-1);
const sameFeeder = sdk.wheelingPerKwhMicro(current, 0);
const cost = sdk.tradeCost(current, trade.priceMicro, trade.quantityWh, sameFeeder);
const position = (await client.positions(buyer)).positions.find((each) => each.interval === interval);

console.log(
  JSON.stringify({
    filled: bought.results[0].slice(1),
    order: [order.state, order.filledWh, order.remainingWh],
    receipt: [String(receipt.code), sdk.toHex(receipt.transaction) === bought.id],
    record: [String(record.remainingWh), record.interval === interval],
    codes,
    many: [...new Set(views.map((view) => view.code))],
    again: [...new Set(again.map((answer) => answer.state))],
    book: [book.asks.length, checksum === book.checksum],
    stranger,
    cost: [cost.buyerMicro === position.purchaseCostMicro, cost.wheelingMicro === trade.wheelingMicro],
    ready: (await client.health()).ready,
    pages: [(await client.blocks({ limit: 3 })).blocks.length, (await client.orders(seller)).orders.length],
    gone: (await client.orders(seller, { state: "gone" })).orders.at(0).state,
    statements: (await client.statements(seller)).statements.length,
    absent: sdk.checkRecord(...(await absent())),
  }),
);

/** What shows that there is no order of a new name. */
async function absent() {
  const clientId = sdk.newClientId();
  const proof = await client.recordProof(seller, { record: "order", clientId });
  const { appHash } = await client.block(proof.height);
  return [sdk.fromHex(appHash), sdk.stateKey(sdk.ORDERS, sdk.orderKey(seller.account, clientId)), proof];
}
