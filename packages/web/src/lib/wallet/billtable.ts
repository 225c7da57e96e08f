/** One's own bill as a table for spreadsheets, made by the gateway. */

import { AnswerNotUnderstood, NotAuthorised, TransportError } from "@gridtokenx/sdk";

import type { Session } from "./own.svelte";

/** The text of `GET /v1/accounts/{id}/bill.csv`. Throws TransportError, NotAuthorised, AnswerNotUnderstood. */
export async function billTable(session: Session, wanted: { day: string } | { month: string }): Promise<string> {
  const query = new URLSearchParams(Object.entries(wanted));
  const token = await session.client.token(session.wallet);
  const address = `/v1/accounts/${session.account}/bill.csv?${query.toString()}`;
  let response: Response;
  try {
    response = await fetch(address, { headers: { Authorization: `Bearer ${token}` }, cache: "no-store" });
  } catch (cause) {
    throw new TransportError("no table came", { cause });
  }
  if (response.status === 401 || response.status === 403) throw new NotAuthorised("no table for this token", response.status);
  if (!response.ok) throw new AnswerNotUnderstood(`no table came: ${response.status}`);
  return response.text();
}
