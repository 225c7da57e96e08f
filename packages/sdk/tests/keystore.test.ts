import { beforeAll, describe, expect, test } from "vitest";

import * as sdk from "../src/index.js";

const CHEAP = { costLog2: 4 };
const key = new sdk.PrivateKey(sdk.hashBytes(Uint8Array.of(7)));
let file = "";

beforeAll(async () => {
  file = await sdk.encryptKey(key, "correct horse", CHEAP);
});

test("what is encrypted opens with its passphrase and no other", async () => {
  expect((await sdk.decryptKey(file, "correct horse")).secret()).toEqual(key.secret());
  for (const wrong of ["Correct horse", "correct horse ", "x"]) {
    await expect(sdk.decryptKey(file, wrong)).rejects.toThrow(sdk.PassphraseWrong);
  }
  for (const none of ["", undefined]) await expect(sdk.decryptKey(file, none)).rejects.toThrow(sdk.PassphraseMissing);
  await expect(sdk.encryptKey(key, "", CHEAP)).rejects.toThrow(sdk.PassphraseMissing);
});

test("the same passphrase from another keyboard opens it", async () => {
  const composed = await sdk.encryptKey(key, "\u00e4", CHEAP);
  expect((await sdk.decryptKey(composed, "a\u0308")).publicKey).toEqual(key.publicKey);
});

test("the secret is in no encrypted file, and no two files are alike", async () => {
  expect(file).not.toContain(sdk.toHex(key.secret()));
  expect(await sdk.encryptKey(key, "correct horse", CHEAP)).not.toBe(file);
});

test("progress ends with one", async () => {
  const seen: number[] = [];
  await sdk.encryptKey(key, "p", { costLog2: 10, onProgress: (done) => seen.push(done) });
  expect(seen.at(-1)).toBe(1);
});

test("a development key opens without a passphrase", async () => {
  expect((await sdk.decryptKey(sdk.developmentKeyFile(key))).secret()).toEqual(key.secret());
});

describe("a file that was changed", () => {
  test.each([
    ["a digit of the secret", (text: string) => text.replace(/"secret": "(.)/, (_, digit) => `"secret": "${digit === "0" ? 1 : 0}`)],
    ["a space more", (text: string) => `${text} `],
    ["another order of fields", (text: string) => JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text)).reverse()))],
    ["a field more", (text: string) => text.replace("{", '{"more": 1,')],
    ["another cost", (text: string) => text.replace('"cost_log2": 4', '"cost_log2": 5')],
    ["a cost that takes all memory", (text: string) => text.replace('"cost_log2": 4', '"cost_log2": 40')],
    ["another cipher", (text: string) => text.replace("aes-256-gcm", "none")],
    ["another format", (text: string) => text.replace("gridtokenx-key-1", "gridtokenx-key-2")],
    ["cut short", (text: string) => text.slice(0, -5)],
    ["far too long", (text: string) => text + " ".repeat(5_000)],
    ["null", () => "null"],
    ["a list", () => "[]"],
    ["nothing", () => ""],
  ])("%s", async (_, change) => {
    await expect(sdk.decryptKey(change(file), "correct horse")).rejects.toThrow(sdk.KeyFileCorrupt);
  });
});

describe("phrases", () => {
  const phrase = sdk.phraseOf(key);

  test("a phrase brings its key back, whatever case and spacing", () => {
    expect(sdk.keyFromPhrase(`\n ${phrase.toUpperCase().replaceAll(" ", "  ")}\t`).secret()).toEqual(key.secret());
  });

  test.each([
    ["a word short", phrase.split(" ").slice(1).join(" "), "24 words"],
    ["an unknown word", phrase.replace(/^\w+/, "gridtoken"), "word 1 "],
    ["the words backwards", phrase.split(" ").reverse().join(" "), "checksum"],
    ["nothing", "", "not 0"],
  ])("%s", (_, words, said) => {
    expect(() => sdk.keyFromPhrase(words)).toThrow(sdk.PhraseInvalid);
    expect(() => sdk.keyFromPhrase(words)).toThrow(said);
  });

  test("the error never repeats a word of the phrase", () => {
    expect(() => sdk.keyFromPhrase(phrase.replace(/^\w+/, "gridtoken"))).not.toThrow(/gridtoken/);
  });
});

test("a key shows its public half only", () => {
  expect(`${key} ${JSON.stringify({ key })}`).not.toContain(sdk.toHex(key.secret()));
  expect(JSON.stringify(key)).toContain(sdk.toHex(key.publicKey));
  expect(() => new sdk.PrivateKey(new Uint8Array(31))).toThrow(sdk.KeystoreError);
});
