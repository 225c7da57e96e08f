import { describe, expect, test } from "vitest";

import * as sdk from "../src/index.js";

const keys = [1, 2, 3].map((number) => new sdk.PrivateKey(new Uint8Array(32).fill(number)));
const publicKeys = keys.map((key) => key.publicKey);
const message = sdk.cancelOrder({ clientId: new Uint8Array(8) });

describe("key lists", () => {
  test("the order they are given in does not matter", () => {
    expect(sdk.KeyList.of(publicKeys, 2).hash()).toEqual(sdk.KeyList.of([...publicKeys].reverse(), 2).hash());
  });

  test.each([
    ["none", [], 1],
    ["twice the same", [publicKeys[0]!, publicKeys[0]!], 1],
    ["a threshold of none", publicKeys, 0],
    ["a threshold of too many", publicKeys, 4],
    ["half a key", [new Uint8Array(16)], 1],
    ["too many", Array.from({ length: 17 }, (_, number) => new Uint8Array(32).fill(number)), 1],
  ])("%s", (_, list, threshold) => {
    expect(() => sdk.KeyList.of(list, threshold)).toThrow(sdk.SigningError);
  });

  test("one out of order", () => {
    const [first, second] = sdk.KeyList.of(publicKeys.slice(0, 2)).keys;
    expect(() => new sdk.KeyList([second!, first!])).toThrow(sdk.SigningError);
  });

  test("too few signatures, and those of strangers", () => {
    const list = sdk.KeyList.of(publicKeys.slice(0, 2), 2);
    const one = { publicKey: publicKeys[0]!, signature: new Uint8Array(64) };
    expect(() => list.auth([one, one])).toThrow("1 of 2");
    expect(() => list.auth([one, { publicKey: publicKeys[2]!, signature: new Uint8Array(64) }])).toThrow("none of");
  });
});

describe("wallets", () => {
  test("two of three sign, and the ledger's order of keys decides which", () => {
    const list = sdk.KeyList.of(publicKeys, 2);
    const wallet = new sdk.Wallet(keys, { keys: list });
    wallet.nonces.learn(4);
    const signed = wallet.sign("chain", 1_000, [message]);
    const { auth, body } = sdk.decode(sdk.Envelope, signed.wire);
    expect(auth.signatures.map(([index]) => index)).toEqual([0, 1]);
    for (const [index, signature] of auth.signatures) {
      const data = sdk.concatenate(sdk.TRANSACTION_DOMAIN, body);
      expect(sdk.signatureIsValid(signature, data, auth.keys[index]!)).toBe(true);
    }
    expect(sdk.decode(sdk.Body, body)).toEqual({
      chain: "chain",
      sender: list.hash(),
      nonce: 5n,
      expiresMs: 301_000n,
      messages: [message],
    });
    expect(signed).toMatchObject({ nonce: 5, expiresMs: 301_000, id: sdk.hashBytes(body) });
  });

  test("one key of two that are needed, and a stranger's", () => {
    const list = sdk.KeyList.of(publicKeys.slice(0, 2), 2);
    expect(() => new sdk.Wallet([keys[0]!], { keys: list })).toThrow(sdk.SigningError);
    expect(() => new sdk.Wallet([keys[2]!], { keys: list })).toThrow(sdk.SigningError);
  });

  test("nonces: unknown, counted, never back, forgotten", () => {
    const nonces = new sdk.Nonces();
    expect(() => nonces.take()).toThrow(sdk.SigningError);
    nonces.learn(7);
    expect([nonces.take(), nonces.take()]).toEqual([8, 9]);
    nonces.learn(3);
    expect(nonces.take()).toBe(10);
    nonces.forget();
    expect(nonces.isKnown).toBe(false);
  });

  test("after a rotation the account and its nonces go on", () => {
    const wallet = new sdk.Wallet([keys[0]!]);
    wallet.nonces.learn(2);
    const rotated = wallet.withKeys([keys[1]!]);
    expect(rotated.account).toEqual(wallet.account);
    expect(rotated.keys.hash()).not.toEqual(wallet.account);
    expect([rotated.nonces.take(), wallet.nonces.take()]).toEqual([3, 4]);
  });

  test.each([0, 65])("%i messages", (count) => {
    const wallet = new sdk.Wallet([keys[0]!]);
    wallet.nonces.learn(0);
    expect(() => wallet.sign("chain", 0, Array.from({ length: count }, () => message))).toThrow(sdk.SigningError);
  });

  test("more bytes than the ledger takes", () => {
    const wallet = new sdk.Wallet([keys[0]!]);
    wallet.nonces.learn(0);
    const reading = { meter: new Uint8Array(8), interval: 1, importWh: 1, exportWh: 1, publicKey: publicKeys[0]!, signature: new Uint8Array(64) };
    const readings = sdk.submitReadings({ chain: "chain", readings: Array.from({ length: 64 }, () => reading) });
    expect(() => wallet.sign("chain", 0, [readings, readings, readings])).toThrow(/bytes, at most/);
  });
});

test("orders have the defaults of most people", () => {
  const portfolio = new Uint8Array(8).fill(1);
  const buy = sdk.buyOrder({ portfolio, interval: 7, priceMicro: 4_500_000n, quantityWh: 1_000 });
  expect(buy).toMatchObject({ side: sdk.Side.BUY, source: 127, timeInForce: 0, goodTillMs: 0n, postOnly: false });
  const sell = sdk.sellOrder({ portfolio, interval: 7, priceMicro: 1, quantityWh: 1, source: sdk.Source.WIND, postOnly: true });
  expect(sell).toMatchObject({ side: sdk.Side.SELL, source: 1, postOnly: true });
  expect(buy.clientId).not.toEqual(sell.clientId);
});

test("an interval is where chain time says, and its call phase takes plain orders alone", () => {
  const interval = { callMs: 1_000, gateMs: 2_000 };
  expect([999, 1_000, 1_999, 2_000].map((nowMs) => sdk.phaseAt(interval, nowMs))).toEqual(["trading", "call", "call", "closed"]);
  expect(sdk.phaseAt({ callMs: null, gateMs: 2_000 }, 1_999)).toBe("trading");
  const wanted = { portfolio: new Uint8Array(8), interval: 1, priceMicro: 3_000_000, quantityWh: 500 };
  const forces = { timeInForce: sdk.TimeInForce.GOOD_TILL_TIME };
  expect(sdk.notForTheCall(sdk.buyOrder(wanted), 2_000)).toBeUndefined();
  expect(sdk.notForTheCall(sdk.buyOrder({ ...wanted, ...forces, goodTillMs: 2_000 }), 2_000)).toBeUndefined();
  expect(sdk.notForTheCall(sdk.sellOrder({ ...wanted, source: sdk.Source.SOLAR }), 2_000)).toBeUndefined();
  for (const [field, order] of [
    ["market", sdk.buyOrder({ ...wanted, priceMicro: 0, market: true, timeInForce: sdk.TimeInForce.IMMEDIATE_OR_CANCEL })],
    ["timeInForce", sdk.buyOrder({ ...wanted, timeInForce: sdk.TimeInForce.FILL_OR_KILL })],
    ["goodTillMs", sdk.buyOrder({ ...wanted, ...forces, goodTillMs: 1_999 })],
    ["minimumWh", sdk.buyOrder({ ...wanted, minimumWh: 100 })],
    ["postOnly", sdk.buyOrder({ ...wanted, postOnly: true })],
    ["displayWh", sdk.buyOrder({ ...wanted, displayWh: 100 })],
    ["scope", sdk.sellOrder({ ...wanted, source: sdk.Source.SOLAR, scope: sdk.Scope.ZONE })],
    ["source", sdk.buyOrder({ ...wanted, source: 1 })],
  ] as const) {
    expect(sdk.notForTheCall(order, 2_000)).toBe(field);
  }
});

describe("baskets", () => {
  const portfolio = new Uint8Array(8).fill(1);
  const basket = new sdk.Basket(portfolio)
    .buy("charge", { interval: 7, priceMicro: 3_200_000, quantityWh: 1_000 })
    .sell("evening", { interval: 31, intervals: 4, priceMicro: 5_000_000, quantityWh: 200, source: sdk.Source.STORAGE, timeInForce: 0 });

  test("legs are fill or kill unless told otherwise, and block orders over several intervals", () => {
    const [charge, evening] = basket.messages();
    expect(charge).toMatchObject({ kind: "PlaceOrder", side: sdk.Side.BUY, source: 127, timeInForce: 3, interval: 7 });
    expect(evening).toMatchObject({ kind: "PlaceBlockOrder", side: sdk.Side.SELL, source: 5, timeInForce: 0, intervals: 4 });
  });

  test("outcomes by leg", () => {
    const view = { results: [[1, 1_000, 0], [2, 0, 800]] } as unknown as sdk.TransactionView;
    expect(basket.outcomes(view)).toMatchObject([
      { leg: "charge", filledWh: 1_000, waitingWh: 0 },
      { leg: "evening", filledWh: 0, waitingWh: 800 },
    ]);
  });

  test("a refusal names the leg", () => {
    const error = new sdk.TransactionRejected("refused", new Uint8Array(32), { code: 315, name: "FILL_OR_KILL_NOT_FILLED" }, 1);
    expect(basket.refused(error)).toMatchObject({ leg: "evening", code: 315, failed: 1 });
    expect(basket.refused(new sdk.TransactionRejected("refused", new Uint8Array(32))).leg).toBe("");
  });

  test("no legs, two of one name, more than fit", () => {
    expect(() => new sdk.Basket(portfolio).messages()).toThrow(sdk.SigningError);
    expect(() => basket.buy("charge", { interval: 7, priceMicro: 1_000, quantityWh: 100 })).toThrow(/its own name/);
    let many = new sdk.Basket(portfolio);
    for (let number = 0; number < 65; number += 1) many = many.buy(`leg ${number}`, { interval: number, priceMicro: 1_000, quantityWh: 100 });
    expect(() => many.messages()).toThrow(/1 to 64 legs/);
  });
});
