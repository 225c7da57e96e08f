/** Carrying calls: one exchange by `fetch`, repeated a few times when there is no answer, or not now. */

import { content, readAnswer, target } from "./calls.js";
import type { Call } from "./calls.js";
import { AddressInvalid, TransportError, Unavailable } from "./errors.js";

/** Longer than a gateway holds an answer back. */
const TIMEOUT_MS = 20_000;
/** Between one attempt and the next; the last attempt's error is thrown. */
export const PAUSES_MS: readonly number[] = [100, 200, 400, 800, 1_600];

/** Waits; ends early, throwing the signal's reason, when the signal is aborted. */
export type Pause = (milliseconds: number, signal?: AbortSignal) => Promise<void>;

/** What a transport may be told. */
export interface TransportOptions {
  /** Asks in place of the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch;
  /** Waits in place of a timer. */
  readonly pause?: Pause;
  /** The language of titles in refusals: sent as `Accept-Language`. */
  readonly language?: string;
}

/** Asks one gateway. */
export class Transport {
  readonly url: string;
  readonly pause: Pause;
  readonly #fetch: typeof globalThis.fetch;
  readonly #language: string | undefined;

  /** Throws AddressInvalid unless `url` is an address of HTTP. */
  constructor(url: string, options: TransportOptions) {
    this.url = checkedAddress(url);
    this.pause = options.pause ?? pause;
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#language = options.language;
  }

  /** The answer, after some attempts if need be. Throws ApiError, TransportError, AnswerNotUnderstood. */
  async ask<T>(call: Call<T>, token?: string, signal?: AbortSignal): Promise<T> {
    for (const milliseconds of PAUSES_MS) {
      try {
        return await this.exchange(call, token, signal);
      } catch (error) {
        if (!(error instanceof TransportError || error instanceof Unavailable)) throw error;
      }
      await this.pause(milliseconds, signal);
    }
    return this.exchange(call, token, signal);
  }

  private async exchange<T>(call: Call<T>, token?: string, signal?: AbortSignal): Promise<T> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    let status: number;
    let text: string;
    try {
      const response = await this.#fetch(this.url + target(call), {
        method: call.method,
        headers: this.headers(call, token),
        body: content(call) ?? null,
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        // A token goes to nobody but the gateway itself, and no old answer passes for a new one.
        redirect: "error",
        cache: "no-store",
        credentials: "omit",
      });
      status = response.status;
      text = await response.text();
    } catch (cause) {
      signal?.throwIfAborted();
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TransportError(`no answer from ${this.url}: ${reason}`, { cause });
    }
    return readAnswer(call, status, text);
  }

  private headers(call: Call<unknown>, token?: string): Record<string, string> {
    return {
      ...(call.body && { "Content-Type": "application/json" }),
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...(this.#language !== undefined && { "Accept-Language": this.#language }),
    };
  }
}

/** A timer that can be given up. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const giveUp = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", giveUp);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", giveUp, { once: true });
  });
}

function checkedAddress(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || !["http:", "https:"].includes(parsed.protocol) || parsed.hostname === "") {
    throw new AddressInvalid(`${url} is no address of a gateway`);
  }
  return url.replace(/\/+$/, "");
}
