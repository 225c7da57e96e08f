import { beforeEach, describe, expect, test } from "vitest";

import * as sdk from "../src/index.js";

/** The other end of a WebSocket, in this process: what a gateway would do is done by the test. */
class Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  readyState = 0;
  readonly said: string[] = [];

  opens(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  hears(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  breaks(code = 1006): void {
    this.readyState = 3;
    this.onclose?.({ code, reason: "" });
  }

  send(data: string): void {
    this.said.push(data);
  }

  close(): void {
    this.readyState = 3;
  }
}

let sockets: Socket[];
let waiting: ((socket: Socket) => void) | undefined;

beforeEach(() => {
  sockets = [];
  waiting = undefined;
});

/** The next connection that the stream makes, opened. */
async function nextSocket(): Promise<Socket> {
  const socket = sockets.shift() ?? (await new Promise<Socket>((resolve) => (waiting = resolve)));
  // The stream begins to listen before the gateway accepts.
  await Promise.resolve();
  socket.opens();
  return socket;
}

function connect(): WebSocket {
  const socket = new Socket();
  if (waiting === undefined) sockets.push(socket);
  else waiting(socket);
  waiting = undefined;
  return socket as unknown as WebSocket;
}

function streamOf(topics: string[], options: sdk.StreamOptions = {}): sdk.Stream {
  return new sdk.Client("http://gateway").stream(topics, undefined, { webSocket: connect, ...options });
}

const SUMMARY = {
  ...{ traded_wh: 0, traded_micro: 0, metered_import_wh: 0, metered_export_wh: 0 },
  ...{ settled_wh: 0, settled_micro: 0, voided_wh: 0, voided_micro: 0 },
};

function block(kind: string, sequence: number, previous: number): object {
  const data = { height: sequence, time_ms: 1, hash: "", app_hash: "", transactions: 0, trades: 0, summary: SUMMARY };
  return { topic: "blocks", kind, sequence, previous, data };
}

async function hear(iterator: AsyncIterator<sdk.Heard>): Promise<sdk.Heard> {
  const { value, done } = await iterator.next();
  expect(done).toBe(false);
  return value as sdk.Heard;
}

describe("one connection", () => {
  test("a snapshot, updates, and what was heard already is not heard again", async () => {
    const stream = streamOf(["blocks"]);
    const iterator = stream[Symbol.asyncIterator]();
    const first = hear(iterator);
    const socket = await nextSocket();
    socket.hears(block("snapshot", 5, 0));
    expect(await first).toMatchObject({ topic: "blocks", sequence: 5, isSnapshot: true, event: { height: 5 } });
    expect(JSON.parse(socket.said[0]!)).toEqual({ subscribe: [{ topic: "blocks", after: null }], token: null });
    for (const [sequence, previous] of [[5, 4], [6, 5]] as const) socket.hears(block("update", sequence, previous));
    expect(await hear(iterator)).toMatchObject({ sequence: 6, isSnapshot: false });
    stream.close();
    expect((await iterator.next()).done).toBe(true);
  });

  test("a gap is answered with the wish for a snapshot, and nothing is heard before it", async () => {
    const iterator = streamOf(["blocks"])[Symbol.asyncIterator]();
    const first = hear(iterator);
    const socket = await nextSocket();
    socket.hears(block("snapshot", 5, 0));
    await first;
    for (const message of [block("update", 8, 7), block("update", 9, 8), block("snapshot", 9, 0)]) socket.hears(message);
    expect(await hear(iterator)).toMatchObject({ sequence: 9, isSnapshot: true });
    expect(JSON.parse(socket.said[1]!)).toEqual({ subscribe: [{ topic: "blocks", after: null }], unsubscribe: ["blocks"] });
  });

  test("pings are answered at once, whether or not anybody reads", async () => {
    const iterator = streamOf(["blocks"])[Symbol.asyncIterator]();
    const first = hear(iterator);
    const socket = await nextSocket();
    socket.hears(block("snapshot", 5, 0));
    await first;
    socket.hears({ kind: "ping", sequence: 5 });
    expect(socket.said.at(-1)).toBe('{"pong":true}');
  });

  test("what is no block is refused", async () => {
    const iterator = streamOf(["blocks"])[Symbol.asyncIterator]();
    const refused = expect(hear(iterator)).rejects.toThrow(sdk.AnswerNotUnderstood);
    (await nextSocket()).hears({ topic: "blocks", kind: "snapshot", sequence: 5, previous: 0, data: { chain: "c" } });
    await refused;
  });

  test("topics come and go", async () => {
    const stream = streamOf(["blocks"]);
    const iterator = stream[Symbol.asyncIterator]();
    const first = hear(iterator);
    const socket = await nextSocket();
    socket.hears(block("snapshot", 5, 0));
    await first;
    stream.subscribe("trades");
    stream.unsubscribe("blocks");
    stream.unsubscribe("nothing");
    expect(socket.said.slice(1)).toEqual(['{"subscribe":[{"topic":"trades","after":null}]}', '{"unsubscribe":["blocks"]}']);
    socket.hears(block("update", 6, 5));
    socket.hears({ topic: "trades", kind: "snapshot", sequence: 6, previous: 0, data: { trades: [] } });
    expect(await hear(iterator)).toMatchObject({ topic: "trades", event: { trades: [] } });
  });

  test("a refused topic is an error, and iterating again goes on with the others", async () => {
    const stream = streamOf(["blocks", "book:1"]);
    const iterator = stream[Symbol.asyncIterator]();
    const first = hear(iterator);
    const socket = await nextSocket();
    socket.hears(block("snapshot", 5, 0));
    await first;
    const problem = { code: 931, name: "STREAM_TOPIC_UNKNOWN", field: "topic", detail: "not open" };
    socket.hears({ topic: "book:1", kind: "problem", problem });
    await expect(iterator.next()).rejects.toMatchObject({ code: 931, detail: "not open" });
    expect([stream.topics, socket.readyState]).toEqual([["blocks"], 3]);
    const again = hear(stream[Symbol.asyncIterator]());
    const other = await nextSocket();
    other.hears(block("update", 6, 5));
    expect(await again).toMatchObject({ sequence: 6 });
    expect(JSON.parse(other.said[0]!)).toEqual({ subscribe: [{ topic: "blocks", after: 5 }], token: null });
  });

  test("leaving the loop closes the connection", async () => {
    const stream = streamOf(["blocks"]);
    const leaving = (async () => {
      for await (const heard of stream) return heard;
    })();
    const socket = await nextSocket();
    socket.hears(block("snapshot", 5, 0));
    expect(await leaving).toMatchObject({ sequence: 5 });
    expect([socket.readyState, stream.state]).toEqual([3, "connecting"]);
  });

  test("what no gateway says", async () => {
    const first = streamOf(["blocks"])[Symbol.asyncIterator]().next();
    (await nextSocket()).hears([]);
    await expect(first).rejects.toThrow(sdk.AnswerNotUnderstood);
  });
});

describe("several connections", () => {
  test("a broken stream is opened again from the last sequence heard", async () => {
    const states: string[] = [];
    const iterator = streamOf(["blocks"], { onState: (state) => states.push(state) })[Symbol.asyncIterator]();
    const first = hear(iterator);
    const socket = await nextSocket();
    socket.hears(block("snapshot", 5, 0));
    await first;
    const second = hear(iterator);
    socket.breaks();
    const again = await nextSocket();
    again.hears(block("update", 6, 5));
    expect(await second).toMatchObject({ sequence: 6, isSnapshot: false });
    expect(JSON.parse(again.said[0]!)).toEqual({ subscribe: [{ topic: "blocks", after: 5 }], token: null });
    expect(states).toEqual(["open", "connecting", "open"]);
  });

  test("what waited to be read when it broke is read first", async () => {
    const iterator = streamOf(["blocks"])[Symbol.asyncIterator]();
    const first = hear(iterator);
    const socket = await nextSocket();
    socket.hears(block("snapshot", 5, 0));
    await first;
    socket.hears(block("update", 6, 5));
    socket.breaks();
    expect(await hear(iterator)).toMatchObject({ sequence: 6 });
  });

  test("a book that has closed is not asked for again", async () => {
    const stream = streamOf(["blocks", "book:1"]);
    const iterator = stream[Symbol.asyncIterator]();
    const first = hear(iterator);
    const socket = await nextSocket();
    const data = { interval: 1, checksum: "e3b0c44298fc1c14", bids: [], asks: [], closed: true };
    socket.hears({ topic: "book:1", kind: "snapshot", sequence: 5, previous: 0, data });
    const heard = await first;
    const book = new sdk.LiveBook(1);
    if (sdk.isBookHeard(heard)) book.apply(heard.event, heard.isSnapshot);
    expect([book.closed, stream.topics]).toEqual([true, ["blocks"]]);
  });

  test("no gateway at the beginning", async () => {
    const first = streamOf(["blocks"])[Symbol.asyncIterator]().next();
    sockets[0]!.breaks();
    await expect(first).rejects.toThrow(sdk.TransportError);
  });

  test("an aborted signal ends it quietly, also while it waits to come back", async () => {
    const stop = new AbortController();
    const stream = streamOf(["blocks"], { signal: stop.signal });
    const next = stream[Symbol.asyncIterator]().next();
    (await nextSocket()).breaks();
    await Promise.resolve();
    stop.abort();
    expect((await next).done).toBe(true);
    expect(stream.state).toBe("closed");
    expect(streamOf([], { signal: stop.signal }).state).toBe("closed");
  });
});
