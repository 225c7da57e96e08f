/** Texts of the views about zones and auctions. They come with those views, not with the first one. */

import { i18n } from "../index.svelte";
import { en, type ZoneTexts } from "./en";
import { th } from "./th";

const TEXTS: Readonly<Record<typeof i18n.language, ZoneTexts>> = { en, th };

export const words = {
  /** Those of the page's language. */
  get t(): ZoneTexts {
    return TEXTS[i18n.language];
  },
};

/** What a zone is called; a name that the texts do not know is the chain's. */
export function zoneName(name: string): string {
  const names: Readonly<Record<string, string>> = words.t.names;
  return names[name.toLowerCase()] ?? name;
}
