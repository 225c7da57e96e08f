// Follows blocks, one's own account and a book over whatever happens to the gateway: ADDRESS SECRET INTERVAL. Prints a
// line of JSON for each message; ends when the seller's five orders stand in the book.

import * as sdk from "../../packages/sdk/dist/index.js";

const [address, secret, interval] = process.argv.slice(2);
const client = new sdk.Client(address);
const wallet = new sdk.Wallet([new sdk.PrivateKey(sdk.fromHex(secret))]);
const book = new sdk.LiveBook(Number(interval));
const states = [];
const topics = ["blocks", "account", `book:${interval}`];

for await (const heard of client.stream(topics, wallet, { onState: (state) => states.push(state) })) {
  if (heard.topic.startsWith("book:")) book.apply(heard.event, heard.isSnapshot);
  const { topic, sequence, isSnapshot } = heard;
  const prices = book.asks().map((level) => Number(level.priceMicro));
  console.log(JSON.stringify({ topic, sequence, is_snapshot: isSnapshot, prices, states }));
  if (prices.length === 5) break;
}
