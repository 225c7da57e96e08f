/** One WebSocket as a queue of texts: pings answered, silence noticed, a slow reader's queue bounded. */

import { TransportError } from "./errors.js";

const OPEN_MS_MAX = 10_000;
/** A gateway pings every 20 seconds: one that is silent for so long is gone, whatever the network says. */
const SILENT_MS_MAX = 60_000;
/** More than this waiting to be read: the reader cannot follow, and is better off with a snapshot. */
const WAITING_MAX = 10_000;
const PONG = '{"pong":true}';

const OPEN = 1;

/** From the first try to the end; never opened again. */
export class Connection {
  readonly #socket: WebSocket;
  readonly #url: string;
  readonly #waiting: string[] = [];
  #wake: (() => void) | undefined;
  #opening: { resolve: () => void; reject: (error: TransportError) => void } | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(url: string, make: (url: string) => WebSocket = (address) => new WebSocket(address)) {
    this.#url = url;
    this.#socket = make(url);
    this.#socket.onopen = () => {
      if (this.#ended) return;
      this.#expectWithin(SILENT_MS_MAX);
      this.#opening?.resolve();
    };
    this.#socket.onmessage = (event) => this.#take(event.data);
    this.#socket.onclose = (event) => this.#end(`closed with ${event.code} ${event.reason}`.trim());
    this.#socket.onerror = () => this.#end("the connection failed");
    this.#expectWithin(OPEN_MS_MAX);
  }

  /** Once it is open. Throws TransportError when it cannot be. */
  async opened(): Promise<void> {
    if (this.#socket.readyState === OPEN) return;
    await new Promise<void>((resolve, reject) => {
      this.#opening = { resolve, reject };
      if (this.#ended) this.#end("the connection failed");
    });
  }

  /** The next text; undefined when the connection has ended. For one reader. */
  async receive(): Promise<string | undefined> {
    while (this.#waiting.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#waiting.shift();
  }

  /** Does nothing when the connection has ended: that is noticed where it is read. */
  send(data: string): void {
    if (this.#socket.readyState === OPEN) this.#socket.send(data);
  }

  close(): void {
    this.#end("closed here");
  }

  #take(data: unknown): void {
    if (this.#ended) return;
    this.#expectWithin(SILENT_MS_MAX);
    if (typeof data !== "string") return;
    // Answered at once, also while the reader is busy.
    if (data.startsWith('{"kind":"ping"')) {
      this.send(PONG);
      return;
    }
    this.#waiting.push(data);
    if (this.#waiting.length > WAITING_MAX) {
      this.#waiting.length = 0;
      this.#end("the reader is too slow");
    }
    this.#wake?.();
  }

  #expectWithin(milliseconds: number): void {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.#end("no word for too long"), milliseconds);
  }

  #end(reason: string): void {
    this.#ended = true;
    clearTimeout(this.#watch);
    this.#opening?.reject(new TransportError(`no stream from ${this.#url}: ${reason}`));
    this.#wake?.();
    this.#socket.close();
  }
}
