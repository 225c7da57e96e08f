/** Texts of the view about who runs the chain. They come with that view, not with the first one. */

import { i18n } from "../index.svelte";
import { en, type AuthorityTexts } from "./en";
import { th } from "./th";

const TEXTS: Readonly<Record<typeof i18n.language, AuthorityTexts>> = { en, th };

export const words = {
  /** Those of the page's language. */
  get t(): AuthorityTexts {
    return TEXTS[i18n.language];
  },
};
