/**
 * Listening: one connection, several topics, and nothing missed without notice.
 *
 *     for await (const heard of client.stream(["blocks", "book:1978000"])) { ... }
 *
 * A stream that breaks, or falls silent, is opened again by itself, with growing pauses, from the last sequence that was
 * heard. A gap, or a gateway that no longer has what was missed, shows as a new snapshot, never as silence.
 */

import { GatewayCode } from "./codes.generated.js";
import { Connection } from "./connection.js";
import { AccountEvent, AuctionView, BlockLine, BookEvent, NetworkView, PricesView, Problem, TradesEvent } from "./documents.generated.js";
import type { StreamRequest } from "./documents.generated.js";
import { ApiError, NotAuthorised, TransportError, Unavailable } from "./errors.js";
import { anything, document, integer, optional, orNull, readJson, text, writeJson } from "./json.js";
import type { Reader } from "./json.js";
import { pause } from "./transport.js";

const PAUSES_MS: readonly number[] = [100, 500, 1_000, 2_000, 5_000];

/** Of a listener: `connecting` also before the first answer, and while a broken stream waits to be opened again. */
export type StreamState = "connecting" | "open" | "closed";

/** What a stream may be told. */
export interface StreamOptions {
  /** Told each change, for a light that shows whether a page is live. */
  readonly onState?: (state: StreamState) => void;
  /** Makes the socket in place of the global `WebSocket`. */
  readonly webSocket?: (url: string) => WebSocket;
  /** Closes the stream when it is aborted. */
  readonly signal?: AbortSignal;
}

export type Event = BlockLine | TradesEvent | BookEvent | AuctionView | NetworkView | PricesView | AccountEvent;

/** One message. After a snapshot (`isSnapshot`) what was known of the topic before is to be forgotten. */
export type Heard = { readonly sequence: number; readonly isSnapshot: boolean } & (
  | { readonly topic: "blocks"; readonly event: BlockLine }
  | { readonly topic: "trades"; readonly event: TradesEvent }
  | { readonly topic: "account"; readonly event: AccountEvent }
  | { readonly topic: `book:${number}`; readonly event: BookEvent }
  | { readonly topic: `auction:${number}`; readonly event: AuctionView }
  | { readonly topic: `prices:${number}`; readonly event: PricesView }
  | { readonly topic: `network:${number}`; readonly event: NetworkView }
);

/** A message of a book: what `LiveBook.apply` takes. */
export type BookHeard = Extract<Heard, { readonly event: BookEvent }>;

/** Whether the message is of a book. */
export function isBookHeard(heard: Heard): heard is BookHeard {
  return isBook(heard.topic);
}

interface Frame {
  readonly kind: string;
  readonly topic: string;
  readonly sequence: number;
  readonly previous: number;
  readonly data: unknown;
  readonly problem: Problem | null;
}

const Frame: Reader<Frame> = document<Frame>({
  kind: text,
  topic: optional(text, ""),
  sequence: optional(integer, 0),
  previous: optional(integer, 0),
  data: optional(anything, null),
  problem: optional(orNull(Problem), null),
});

/**
 * Messages of some topics, for one listener. Iterating opens the connection and leaving the loop closes it; iterating
 * again goes on from the last sequence heard. Throws ApiError when a topic is refused, which is then forgotten, and
 * TransportError when the gateway cannot be reached at the beginning; later interruptions are waited out, for ever.
 */
export class Stream implements AsyncIterable<Heard> {
  readonly #url: string;
  readonly #token: (() => Promise<string>) | undefined;
  readonly #options: StreamOptions;
  /** The last sequence handed on of each topic. */
  readonly #after = new Map<string, number | undefined>();
  readonly #ending = new AbortController();
  #connection: Connection | undefined;
  #state: StreamState = "connecting";

  /** `url` is that of the gateway; `token` is asked for one each time the stream opens, for `account`. */
  constructor(
    url: string,
    topics: readonly string[],
    token: (() => Promise<string>) | undefined,
    options: StreamOptions,
  ) {
    this.#url = `${url.replace(/^http/, "ws")}/v1/stream`;
    this.#token = token;
    this.#options = options;
    for (const topic of topics) this.#after.set(topic, undefined);
    options.signal?.addEventListener("abort", () => this.close(), { once: true });
    if (options.signal?.aborted) this.close();
  }

  get state(): StreamState {
    return this.#state;
  }

  /** Topics that are heard or asked for. */
  get topics(): string[] {
    return [...this.#after.keys()];
  }

  /** Hear of one more topic, from a snapshot on. */
  subscribe(topic: string): void {
    if (this.#after.has(topic)) return;
    this.#after.set(topic, undefined);
    this.#say({ subscribe: [{ topic, after: null }] });
  }

  /** Hear no more of it. */
  unsubscribe(topic: string): void {
    if (this.#after.delete(topic)) this.#say({ unsubscribe: [topic] });
  }

  /** Something was missed (or a `LiveBook` is out of step): ask for a snapshot, and hear no update before it. */
  startOver(topic: string): void {
    this.#after.set(topic, undefined);
    this.#say({ subscribe: [{ topic, after: null }], unsubscribe: [topic] });
  }

  /** End: iterating ends, too. */
  close(): void {
    this.#ending.abort();
    this.#connection?.close();
    this.#become("closed");
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Heard, void, undefined> {
    try {
      if (this.#state !== "closed") await this.#open();
      while (this.#state !== "closed") {
        const source = await this.#connection!.receive();
        if (source === undefined) {
          await this.#openAgain();
          continue;
        }
        const heard = this.#understand(source);
        if (heard !== undefined) yield heard;
      }
    } catch (error) {
      // What ends because it was closed ends quietly.
      if (!this.#ending.signal.aborted) throw error;
    } finally {
      this.#connection?.close();
      this.#become("connecting");
    }
  }

  /** What to hand on; undefined for what is not for the listener. */
  #understand(source: string): Heard | undefined {
    const frame = readJson(Frame, source);
    if (frame.problem !== null) throw this.#refused(frame.topic, frame.problem);
    if (frame.kind === "ping" || !this.#after.has(frame.topic)) return undefined;
    const event = eventReader(frame.topic)(frame.data, "data");
    const last = this.#after.get(frame.topic);
    if (frame.kind === "update") {
      if (last === undefined || frame.previous > last) {
        this.startOver(frame.topic);
        return undefined;
      }
      if (frame.sequence <= last) return undefined;
    }
    this.#after.set(frame.topic, frame.sequence);
    // What is over with its interval's gate is not asked for when the stream opens again.
    if (isOver(frame.topic, event)) this.#after.delete(frame.topic);
    return { topic: frame.topic, sequence: frame.sequence, isSnapshot: frame.kind === "snapshot", event } as Heard;
  }

  #refused(topic: string, problem: Problem): ApiError {
    this.#after.delete(topic);
    const signedOut = problem.code === GatewayCode.SESSION_MISSING || problem.code === GatewayCode.SESSION_ENDED;
    return new (signedOut ? NotAuthorised : ApiError)(problem.detail, 400, problem);
  }

  #say(request: StreamRequest): void {
    this.#connection?.send(writeJson(request));
  }

  /** Throws TransportError, or what asking for a token throws. */
  async #open(): Promise<void> {
    this.#become("connecting");
    const connection = new Connection(this.#url, this.#options.webSocket);
    this.#connection = connection;
    try {
      await connection.opened();
      const token = (await this.#token?.()) ?? null;
      this.#ending.signal.throwIfAborted();
      const subscribe = [...this.#after].map(([topic, after]) => ({ topic, after: after ?? null }));
      connection.send(writeJson({ subscribe, token } satisfies StreamRequest));
      this.#become("open");
    } catch (error) {
      this.#connection = undefined;
      connection.close();
      throw error;
    }
  }

  async #openAgain(): Promise<void> {
    this.#become("connecting");
    for (let attempt = 0; ; attempt += 1) {
      const longest = PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)]!;
      // All who were dropped together come back one by one.
      await pause(longest * (0.5 + Math.random() / 2), this.#ending.signal);
      try {
        await this.#open();
        return;
      } catch (error) {
        if (!(error instanceof TransportError || error instanceof Unavailable)) throw error;
      }
    }
  }

  #become(state: StreamState): void {
    if (this.#state === state || this.#state === "closed") return;
    this.#state = state;
    this.#options.onState?.(state);
  }
}

function isBook(topic: string): boolean {
  return topic.startsWith("book:");
}

/** States of an auction after which nothing new is heard of it. */
const OVER: ReadonlySet<string> = new Set(["final", "none"]);

function isOver(topic: string, event: Event): boolean {
  if (topic.startsWith("auction:")) return OVER.has((event as AuctionView).state);
  return (isBook(topic) || topic.startsWith("network:")) && (event as BookEvent | NetworkView).closed;
}

function eventReader(topic: string): Reader<Event> {
  if (topic === "blocks") return BlockLine;
  if (topic === "trades") return TradesEvent;
  if (topic.startsWith("auction:")) return AuctionView;
  if (topic.startsWith("network:")) return NetworkView;
  if (topic.startsWith("prices:")) return PricesView;
  return topic === "account" ? AccountEvent : BookEvent;
}
