/** Texts of the views for who takes part. They come with these views, not with the first one. */

import { i18n } from "../index.svelte";
import { en, type JoinTexts } from "./en";
import { th } from "./th";

const TEXTS: Readonly<Record<typeof i18n.language, JoinTexts>> = { en, th };

export const words = {
  /** Those of the page's language. */
  get t(): JoinTexts {
    return TEXTS[i18n.language];
  },
};
