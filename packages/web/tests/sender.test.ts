import { cancelOrder, Client, PrivateKey, toHex, TransactionExpired, TransactionRejected, Wallet } from "@gridtokenx/sdk";
import { beforeEach, describe, expect, test, vi } from "vitest";

import type { Session } from "../src/lib/wallet/own.svelte";
import { Sender } from "../src/lib/wallet/sender.svelte";
import { SentBook, type Purpose, type Store } from "../src/lib/wallet/sent";

const NOW_MS = 1_679_280_000_000;
const MESSAGE = cancelOrder({ clientId: new Uint8Array(8) });
const ASKED: Purpose = { kind: "cancel", clientId: "0000000000000000", interval: 7, side: "buy", quantityWh: 100, priceMicro: "" };

/** A gateway of one account, in memory. */
class Gateway {
  /** What came in, as hexadecimal. */
  readonly wires: string[] = [];
  timeMs = NOW_MS;
  nonceHighest = 4;
  /** What is said to each submission; the last one stays. */
  answers: ("pending" | "refused" | "away")[] = ["pending"];
  code = 0;
  /** Of the transaction when it is asked for. */
  outcome: { state: string; code: number } = { state: "committed", code: 0 };

  readonly fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const path = new URL(String(input)).pathname;
    const id = "ab".repeat(32);
    if (path === "/v1/status") {
      return json({ chain: "try", kind: "consortium", protocol: 1, height: 9, time_ms: this.timeMs, app_hash: "", interval: 7, intervals_open: 1, orders_open: 0, version: "1" });
    }
    if (path === "/v1/transactions") {
      this.wires.push((JSON.parse(String(init?.body)) as { transactions: string[] }).transactions[0]!);
      const answer = this.answers.length > 1 ? this.answers.shift()! : this.answers[0]!;
      if (answer === "away") throw new TypeError("no line");
      const refused = answer === "refused";
      return json({ transactions: [{ id, state: answer, code: refused ? this.code : 0, name: "", field: "" }] });
    }
    // As a gateway does that is asked to wait.
    await new Promise((resolve) => setTimeout(resolve, 20));
    return json({ id, ...this.outcome, name: "", failed: null, results: [], height: 9, time_ms: this.timeMs, batch: 0, position: 0, kinds: [] });
  };
}

function json(body: object, status = 200): Response {
  return new Response(JSON.stringify(body), { status });
}

function memory(): Store {
  const kept = new Map<string, string>();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

async function until(holds: () => void): Promise<void> {
  await vi.waitFor(holds, { timeout: 10_000, interval: 10 });
}

describe("sending", () => {
  let gateway: Gateway;
  let session: Session;
  let store: Store;

  beforeEach(() => {
    gateway = new Gateway();
    store = memory();
    const wallet = new Wallet([new PrivateKey(new Uint8Array(32).fill(7))]);
    wallet.nonces.learn(gateway.nonceHighest);
    const client = new Client("http://market.test", { fetch: gateway.fetch, pause: () => Promise.resolve() });
    session = { wallet, client, account: toHex(wallet.account) };
  });

  const kept = () => new SentBook(store).of(session.account, "try");

  test("once it is in a block nothing of it is left", async () => {
    const sender = new Sender(store);
    await sender.send(session, [MESSAGE], ASKED);
    expect(gateway.wires).toHaveLength(1);
    expect(kept()).toEqual([]);
    expect(sender.ways).toEqual([]);
  });

  test("a broken line gets the very same bytes again", async () => {
    gateway.answers = ["away", "away", "away", "away", "away", "away", "away", "away", "pending"];
    const sender = new Sender(store);
    const sending = sender.send(session, [MESSAGE], ASKED);
    await until(() => expect(sender.ways[0]?.state).toBe("lost"));
    expect(kept()).toHaveLength(1);
    await sending;
    expect(new Set(gateway.wires).size).toBe(1);
  });

  test("a page that is loaded again goes on with the very same bytes, without a key", async () => {
    gateway.answers = ["away"];
    void new Sender(store).send(session, [MESSAGE], ASKED).catch(() => undefined);
    await until(() => expect(kept()).toHaveLength(1));
    const [first] = kept();
    gateway.answers = ["pending"];
    const after = new Sender(store);
    await after.resume(session.client, session.account);
    await until(() => expect(kept()).toEqual([]));
    expect(new Set(gateway.wires)).toEqual(new Set([first!.wire]));
  });

  test("a number that another device took is replaced by the next one", async () => {
    gateway.answers = ["refused", "pending"];
    gateway.code = 11;
    gateway.outcome = { state: "unknown", code: 0 };
    const sender = new Sender(store);
    const learned = vi.spyOn(session.client, "account").mockResolvedValue({ nonceHighest: 40 } as never);
    const sending = sender.send(session, [MESSAGE], ASKED);
    await until(() => expect(gateway.wires).toHaveLength(2));
    gateway.outcome = { state: "committed", code: 0 };
    await sending;
    expect(learned).toHaveBeenCalledOnce();
    expect(new Set(gateway.wires).size).toBe(2);
  });

  test("two tabs take different numbers", async () => {
    gateway.answers = ["away"];
    void new Sender(store).send(session, [MESSAGE], ASKED).catch(() => undefined);
    await until(() => expect(kept()).toHaveLength(1));
    // The other tab has the same key, and heard the same of the account.
    const wallet = new Wallet([new PrivateKey(new Uint8Array(32).fill(7))]);
    wallet.nonces.learn(gateway.nonceHighest);
    void new Sender(store).send({ ...session, wallet }, [MESSAGE], ASKED).catch(() => undefined);
    await until(() => expect(kept()).toHaveLength(2));
    expect(kept().map((sent) => sent.nonce)).toEqual([5, 6]);
    gateway.answers = ["pending"];
    await until(() => expect(kept()).toEqual([]));
  });

  test("what the ledger refuses is told until it is seen", async () => {
    gateway.outcome = { state: "committed", code: 314 };
    const sender = new Sender(store);
    await expect(sender.send(session, [MESSAGE], ASKED)).rejects.toThrow(TransactionRejected);
    expect(sender.ways).toMatchObject([{ state: "failed", error: { code: 314 } }]);
    expect(kept()).toEqual([]);
    sender.dismiss(sender.ways[0]!.sent.id);
    expect(sender.ways).toEqual([]);
  });

  test("a refusal at the door that hides a success is a success", async () => {
    gateway.answers = ["refused"];
    gateway.code = 9;
    const sender = new Sender(store);
    await sender.send(session, [MESSAGE], ASKED);
    expect(sender.ways).toEqual([]);
  });

  test("what has expired is in no block and never will be", async () => {
    gateway.outcome = { state: "unknown", code: 0 };
    gateway.timeMs = NOW_MS;
    const sender = new Sender(store);
    const sending = sender.send(session, [MESSAGE], ASKED);
    sending.catch(() => undefined);
    await until(() => expect(gateway.wires).toHaveLength(1));
    gateway.timeMs = NOW_MS + 3_600_000;
    await expect(sending).rejects.toThrow(TransactionExpired);
    expect(sender.ways).toMatchObject([{ state: "failed" }]);
  });
});
