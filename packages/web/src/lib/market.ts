/** The gateway that serves this page, asked in the page's language. */

import { Client, TransportError } from "@gridtokenx/sdk";

import { i18n } from "./i18n/index.svelte";

/** A client with sessions of its own, which end when it is forgotten. */
export function newClient(): Client {
  return new Client(location.origin, {
    fetch: (input, init) => fetch(input, { ...init, headers: { ...init?.headers, "Accept-Language": i18n.language } }),
  });
}

export const market = newClient();

/** Whether this means that nobody answered at all. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof TransportError;
}

/** The node's and the gateway's metrics, in the text format of Prometheus. */
export async function readMetrics(signal: AbortSignal): Promise<string> {
  const response = await fetch("/metrics", { signal });
  if (!response.ok) throw new TransportError(`no metrics: ${response.status}`);
  return response.text();
}
