/** The page's language: texts and formatters, remembered. Free of the market: the report uses it too. */

import { formatOf, type Format, type Language } from "../format";
import { recall, remember } from "../theme.svelte";
import { en, type Dictionary } from "./en";
import { th } from "./th";

const KEY = "gridtokenx.language";
export const DICTIONARIES: Readonly<Record<Language, Dictionary>> = { en, th };

class I18n {
  language = $state<Language>(firstLanguage());

  /** The texts of the language. */
  get t(): Dictionary {
    return DICTIONARIES[this.language];
  }

  /** Numbers and dates of the language. */
  get f(): Format {
    return formatOf(this.language);
  }

  choose(language: Language): void {
    this.language = language;
    document.documentElement.lang = language;
    remember(KEY, language);
  }
}

function firstLanguage(): Language {
  const wanted = recall(KEY) ?? (typeof navigator === "undefined" ? "en" : navigator.language.slice(0, 2));
  return wanted === "th" ? "th" : "en";
}

export const i18n = new I18n();
