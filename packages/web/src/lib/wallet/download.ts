/** Handing the reader a file. It is made here: nothing is asked of a server, and its name says nothing secret. */

import { presence } from "./present.svelte";
import { own } from "./own.svelte";

export function saveText(name: string, text: string, mediaType: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: mediaType }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

/** The key file as it is kept here: encrypted if the key has a passphrase. Python's keystore takes `NAME.key.json`. */
export function saveKeyFile(): void {
  if (presence.keyFile !== null && own.account) {
    saveText(`gridtokenx-${own.account.slice(0, 8)}.key.json`, presence.keyFile, "application/json");
  }
}
