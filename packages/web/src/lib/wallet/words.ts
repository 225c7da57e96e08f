/** What went wrong, in a sentence of the page's language. */

import { ApiError, ClientError, KeyFileCorrupt, KeystoreError, PassphraseMissing, PassphraseWrong, TransactionExpired, TransportError } from "@gridtokenx/sdk";

import { codes } from "../codes.svelte";
import { words } from "../i18n/join";

/** Reading it again may give a better one, once the sentences of the codes have come. */
export function sentenceOf(error: unknown): string {
  const { t } = words;
  if (error instanceof TransportError) return t.error.unreachable;
  if (error instanceof TransactionExpired) return t.error.expired;
  if (error instanceof PassphraseWrong || error instanceof PassphraseMissing) return t.gate.wrong;
  if (error instanceof KeyFileCorrupt) return t.error.file;
  if (error instanceof KeystoreError) return t.error.insecure;
  if (!(error instanceof ClientError)) return t.error.other;
  void codes.read();
  return codes.sentence(error.code) || (error instanceof ApiError && error.title) || error.detail;
}
