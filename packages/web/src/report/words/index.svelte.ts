/** The report's texts in the page's language. */

import type { Language } from "../../lib/format";
import { i18n } from "../../lib/i18n/index.svelte";
import { en, type Words } from "./en";
import { th } from "./th";

export const WORDS: Readonly<Record<Language, Words>> = { en, th };

export const words = {
  get t(): Words {
    return WORDS[i18n.language];
  },
};
