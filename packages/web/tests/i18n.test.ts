import { expect, test } from "vitest";

import { en } from "../src/lib/i18n/en";
import { en as authoritiesEn } from "../src/lib/i18n/authorities/en";
import { th as authoritiesTh } from "../src/lib/i18n/authorities/th";
import { en as joinEn } from "../src/lib/i18n/join/en";
import { th as joinTh } from "../src/lib/i18n/join/th";
import { th } from "../src/lib/i18n/th";
import { en as zonesEn } from "../src/lib/i18n/zones/en";
import { th as zonesTh } from "../src/lib/i18n/zones/th";

type Tree = { readonly [key: string]: unknown };

/** Each text by the path of its keys; functions are called with names for their values. */
function texts(tree: Tree, path = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    const place = path ? `${path}.${key}` : key;
    if (typeof value === "string") found.set(place, value);
    else if (typeof value === "function") {
      const given = Array.from({ length: value.length }, (_, index) => `<${index}>`);
      found.set(place, String((value as (...given: string[]) => string)(...given)));
    } else for (const [inner, text] of texts(value as Tree, place)) found.set(inner, text);
  }
  return found;
}

const english = texts({ ...en, own: joinEn, authorities: authoritiesEn, zones: zonesEn });
const thai = texts({ ...th, own: joinTh, authorities: authoritiesTh, zones: zonesTh });

test("both languages have the same keys", () => {
  expect([...thai.keys()].sort()).toEqual([...english.keys()].sort());
});

test("no text is empty", () => {
  for (const [key, text] of [...english, ...thai]) expect(text.trim(), key).not.toBe("");
});

test("both languages show the same values", () => {
  const values = (text: string): string[] => (text.match(/<\d>/g) ?? []).sort();
  for (const [key, text] of english) expect(values(thai.get(key)!), key).toEqual(values(text));
});

test("Thai is Thai, but for names and units", () => {
  const latin = [...thai].filter(([, text]) => !/[\u0e00-\u0e7f]/.test(text)).map(([key]) => key);
  const values = ["own.order.intervalOption", "own.interval.title", "authorities.change", "authorities.percent"];
  expect(latin.filter((key) => !["shell.otherLanguage", "shell.api", ...values].includes(key))).toEqual([]);
});

test("English has no Thai, but for the switch to it", () => {
  const strange = [...english].filter(([, text]) => /[\u0e00-\u0e7f]/.test(text)).map(([key]) => key);
  expect(strange).toEqual(["shell.otherLanguage"]);
});
