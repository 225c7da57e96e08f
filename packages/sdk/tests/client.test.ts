import { beforeEach, describe, expect, test } from "vitest";

import * as sdk from "../src/index.js";

/** A gateway that answers from a list, and remembers what it was asked. */
class Gateway {
  readonly asked: { path: string; method: string; body: string | null; headers: Headers }[] = [];
  readonly pauses: number[] = [];
  private readonly answers: (Response | Error)[] = [];

  says(body: object, status = 200): this {
    return this.page(JSON.stringify(body), status);
  }

  page(text: string, status: number): this {
    this.answers.push(new Response(text, { status }));
    return this;
  }

  refuses(status: number, code: number, name: string): this {
    return this.says({ code, name, field: "f", detail: "no", title: "ไม่ได้" }, status);
  }

  breaks(times = 1): this {
    for (let time = 0; time < times; time += 1) this.answers.push(new TypeError("cut off"));
    return this;
  }

  client(options: sdk.ClientOptions = {}): sdk.Client {
    return new sdk.Client("http://gateway", {
      fetch: async (input, init) => {
        const headers = new Headers(init?.headers);
        const path = String(input).replace("http://gateway", "");
        this.asked.push({ path, method: init?.method ?? "GET", body: init?.body as string | null, headers });
        const answer = this.answers.shift() ?? new Error("nothing more is known");
        if (answer instanceof Error) throw answer;
        return answer;
      },
      pause: async (milliseconds, signal) => {
        signal?.throwIfAborted();
        this.pauses.push(milliseconds);
      },
      ...options,
    });
  }
}

const key = new sdk.PrivateKey(new Uint8Array(32).fill(1));
const message = sdk.cancelOrder({ clientId: new Uint8Array(8) });
const STATUS = {
  chain: "chain",
  kind: "consortium",
  protocol: 1,
  height: 5,
  time_ms: 1_000,
  app_hash: "",
  interval: 7,
  intervals_open: 1,
  orders_open: 0,
  version: "0",
};
const ACCOUNT = {
  account: "",
  participant: "",
  height: 5,
  time_ms: 1_000,
  balance_micro: 1,
  held_micro: 0,
  free_micro: 1,
  debt_micro: 0,
  nonce_highest: 3,
  nonce_gaps: "",
  keys_hash: "",
  portfolios: [],
};

let gateway: Gateway;
let wallet: sdk.Wallet;

beforeEach(() => {
  gateway = new Gateway();
  wallet = new sdk.Wallet([key]);
});

function challenge(chain = "chain", account = wallet.account): string {
  return sdk.toHex(
    sdk.encode(sdk.Challenge, { chain, account, random: new Uint8Array(16), expiresMs: 1, seal: new Uint8Array(32) }),
  );
}

function signsIn(token: string): void {
  gateway.says({ challenge: challenge(), lifetime_ms: 1 }).says({ token, account: "", lifetime_ms: 1 }, 201);
}

function submitted(state: string, code = 0): object {
  return { transactions: [{ id: "", state, code, name: "", field: "" }] };
}

describe("asking again", () => {
  test("what got no answer or is not possible now is asked again, with growing pauses", async () => {
    gateway.breaks().refuses(503, 922, "NODE_UNREACHABLE").refuses(429, 920, "TOO_MANY").says(STATUS);
    expect((await gateway.client().status()).height).toBe(5);
    expect(gateway.pauses).toEqual([100, 200, 400]);
  });

  test("a page of an intermediary that tells of a failure is asked again", async () => {
    gateway.page("<h1>Bad Gateway</h1>", 502).says(STATUS).page("<h1>Not here</h1>", 404);
    expect((await gateway.client().status()).height).toBe(5);
    await expect(gateway.client().status()).rejects.toThrow(sdk.AnswerNotUnderstood);
  });

  test("the last attempt's error is thrown", async () => {
    gateway.breaks(6);
    await expect(gateway.client().status()).rejects.toThrow(sdk.TransportError);
    expect(gateway.asked.length).toBe(6);
  });

  test("a refusal is thrown at once, with all it says", async () => {
    gateway.refuses(404, 902, "NOT_FOUND");
    const error = await gateway.client({ language: "th" }).interval(7).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(sdk.NotFound);
    expect(error).toMatchObject({ status: 404, code: 902, name: "NOT_FOUND", field: "f", detail: "no", title: "ไม่ได้" });
    expect(gateway.asked[0]!.headers.get("accept-language")).toBe("th");
  });

  test("an aborted signal ends it with its own reason, also in a pause", async () => {
    const stop = new AbortController();
    gateway.breaks(6);
    const client = gateway.client({
      pause: async (_, signal) => {
        stop.abort(new Error("gone"));
        signal?.throwIfAborted();
      },
    });
    await expect(client.status({ signal: stop.signal })).rejects.toThrow("gone");
    expect(gateway.asked.length).toBe(1);
  });
});

test.each(["ftp://x", "gateway", "", "http://"])("%s is no address", (url) => {
  expect(() => new sdk.Client(url)).toThrow(sdk.AddressInvalid);
});

test("what is no answer of a gateway is not understood", async () => {
  gateway.says({ hello: "world" });
  await expect(gateway.client().status()).rejects.toThrow(sdk.AnswerNotUnderstood);
});

test("a gateway that is not ready says why, with 503", async () => {
  gateway.says({ live: true, ready: false, reasons: ["busy"], height: 1 }, 503);
  expect((await gateway.client().health()).reasons).toEqual(["busy"]);
});

test("another chain than the one asked for, and a chain that changes", async () => {
  gateway.says(STATUS).says(STATUS).says({ ...STATUS, chain: "other" });
  await expect(gateway.client({ chain: "mine" }).status()).rejects.toThrow(sdk.WrongChain);
  const client = gateway.client();
  await client.status();
  await expect(client.status()).rejects.toThrow(sdk.WrongChain);
});

test("parameters stand behind the question mark, without those that are missing", async () => {
  gateway.says({ trades: [], next: 0, oldest: 0 }).says({ hits: [] });
  await gateway.client().trades({ limit: 5 });
  await gateway.client().search("a&b=ไฟ");
  expect(gateway.asked.map((each) => each.path)).toEqual(["/v1/trades?limit=5", "/v1/search?q=a%26b%3D%E0%B9%84%E0%B8%9F"]);
});

describe("sessions", () => {
  test("signs in once, and again when the session has ended", async () => {
    signsIn("one");
    gateway.says(ACCOUNT).says(ACCOUNT).refuses(401, sdk.GatewayCode.SESSION_ENDED, "SESSION_ENDED");
    signsIn("two");
    gateway.says(ACCOUNT);
    const client = gateway.client();
    for (let time = 0; time < 3; time += 1) await client.account(wallet);
    const tokens = gateway.asked.map((each) => each.headers.get("authorization"));
    expect(tokens).toEqual([null, null, "Bearer one", "Bearer one", "Bearer one", null, null, "Bearer two"]);
    expect(JSON.parse(gateway.asked[1]!.body!)).toMatchObject({ challenge: challenge(), auth: { threshold: 1 } });
  });

  test("two questions at the same time sign in once", async () => {
    signsIn("one");
    gateway.says(ACCOUNT).says(ACCOUNT);
    const client = gateway.client();
    await Promise.all([client.account(wallet), client.account(wallet)]);
    expect(gateway.asked.filter((each) => each.path === "/v1/sessions").length).toBe(1);
  });

  test("somebody else's account is refused once and for all", async () => {
    signsIn("one");
    gateway.refuses(403, sdk.GatewayCode.NOT_YOUR_ACCOUNT, "NOT_YOUR_ACCOUNT");
    await expect(gateway.client().account(wallet)).rejects.toThrow(sdk.NotAuthorised);
  });

  test.each([
    ["no challenge at all", () => "00"],
    ["no hexadecimal", () => "zz"],
    ["one for another account", () => challenge("chain", new Uint8Array(32))],
  ])("%s is not signed", async (_, offered) => {
    gateway.says({ challenge: offered(), lifetime_ms: 1 });
    await expect(gateway.client().account(wallet)).rejects.toThrow(sdk.AnswerNotUnderstood);
    expect(gateway.asked.length).toBe(1);
  });

  test("a challenge for another chain is not signed", async () => {
    gateway.says({ challenge: challenge("other"), lifetime_ms: 1 });
    await expect(gateway.client({ chain: "chain" }).account(wallet)).rejects.toThrow(sdk.WrongChain);
  });
});

test("joining signs a challenge for an account that is not there yet", async () => {
  gateway.says({ challenge: challenge(), lifetime_ms: 1 }).refuses(409, 940, "FAUCET_CLOSED");
  await expect(gateway.client().join(wallet, "flat")).rejects.toMatchObject({ code: 940 });
  expect(gateway.asked[1]).toMatchObject({ method: "POST", path: "/v1/faucet" });
  const { profile, auth } = JSON.parse(gateway.asked[1]!.body!);
  const signed = sdk.concatenate(sdk.CHALLENGE_DOMAIN, sdk.fromHex(challenge())!);
  expect(profile).toBe("flat");
  expect(sdk.signatureIsValid(sdk.fromHex(auth.signatures[0][1])!, signed, key.publicKey)).toBe(true);
});

describe("sending", () => {
  beforeEach(() => wallet.nonces.learn(3));

  test("a submission without an answer is repeated as the very same bytes", async () => {
    gateway.says(STATUS).breaks(2).says(submitted("pending"));
    const sent = await gateway.client().send(wallet, [message]);
    const bodies = gateway.asked.slice(1).map((each) => each.body);
    expect(new Set(bodies)).toEqual(new Set([JSON.stringify({ transactions: [sdk.toHex(sent.wire)] })]));
    expect(bodies.length).toBe(3);
    expect(sent).toMatchObject({ nonce: 4, expiresMs: 301_000 });
  });

  test("what the node is too busy for is sent again, and only that", async () => {
    const two = { transactions: ["pending", "busy"].map((state) => ({ id: "", state, code: 0, name: "", field: "" })) };
    gateway.says(STATUS).says(two).says(submitted("busy")).says(submitted("pending"));
    const sent = await gateway.client().sendMany(wallet, [[message], [message]]);
    expect(sent.map((each) => each.answer.state)).toEqual(["pending", "pending"]);
    expect(JSON.parse(gateway.asked[3]!.body!).transactions).toEqual([sdk.toHex(sent[1]!.transaction.wire)]);
  });

  test("a node that stays busy", async () => {
    gateway.says(STATUS);
    for (let time = 0; time < 6; time += 1) gateway.says(submitted("busy"));
    await expect(gateway.client().send(wallet, [message])).rejects.toThrow(sdk.Unavailable);
  });

  test("a used nonce is answered with a new signature", async () => {
    gateway.says(STATUS).says(submitted("refused", sdk.KernelCode.NONCE_USED));
    signsIn("one");
    gateway.says({ ...ACCOUNT, nonce_highest: 9 }).says(STATUS).says(submitted("pending"));
    expect((await gateway.client().send(wallet, [message])).nonce).toBe(10);
  });

  test("a refusal names the transaction and the code", async () => {
    gateway.says(STATUS).says(submitted("refused", sdk.KernelCode.EXPIRED));
    const error = await gateway.client().send(wallet, [message]).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(sdk.TransactionRejected);
    expect((error as sdk.TransactionRejected).transactionId.length).toBe(32);
    expect((error as sdk.TransactionRejected).code).toBe(sdk.KernelCode.EXPIRED);
  });
});

describe("waiting", () => {
  const id = new Uint8Array(32);
  const view = (state: string, more = {}): object => ({ id: "", state, ...more });

  test("until it is in a block", async () => {
    gateway.says(view("pending")).says(view("committed", { code: 301, height: 8 }));
    expect(await gateway.client().wait(id)).toMatchObject({ code: 301, height: 8 });
    expect(gateway.asked[0]!.path).toBe(`/v1/transactions/${"00".repeat(32)}?wait_ms=10000`);
  });

  test("in vain", async () => {
    gateway.says(view("pending")).says(view("expired"));
    const client = gateway.client();
    await expect(client.wait(id, { waitMs: 0 })).rejects.toThrow(sdk.StillPending);
    await expect(client.wait(id)).rejects.toThrow(sdk.TransactionExpired);
  });

  test("for one that the gateway never heard of, until chain time is past its expiry", async () => {
    gateway.says(view("unknown")).says(STATUS).says(view("unknown")).says({ ...STATUS, time_ms: 301_001 });
    const signed = { id, wire: id, sender: id, nonce: 1, expiresMs: 301_000 };
    await expect(gateway.client().wait(signed)).rejects.toThrow(sdk.TransactionExpired);
  });

  test("a code other than 0 is an error of `execute`", async () => {
    wallet.nonces.learn(3);
    gateway.says(STATUS).says(submitted("pending")).says(view("committed", { code: 301, name: "GATE_CLOSED" }));
    await expect(gateway.client().execute(wallet, [message])).rejects.toMatchObject({ code: 301, name: "GATE_CLOSED" });
  });
});
