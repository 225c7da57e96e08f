/** Whether this browser holds a key: all that the navigation has to know. Part of the first view, so without the SDK. */

import { recall, remember } from "../theme.svelte";

const KEY_FILE = "gridtokenx.key";

class Presence {
  /** The text of the key file; null while there is none. */
  keyFile = $state.raw<string | null>(recall(KEY_FILE));

  constructor() {
    // Another tab made, changed or forgot it.
    addEventListener("storage", (event) => {
      if (event.key === KEY_FILE || event.key === null) this.keyFile = recall(KEY_FILE);
    });
  }

  /** Keep this file, or none. False when the browser does not keep it: then it is gone with the page. */
  keep(file: string | null): boolean {
    remember(KEY_FILE, file);
    this.keyFile = file;
    return recall(KEY_FILE) === file;
  }
}

export const presence = new Presence();
