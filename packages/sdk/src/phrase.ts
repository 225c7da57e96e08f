/**
 * The 24 words that bring a key back. They carry the 32 secret bytes themselves in the encoding of BIP-39 (English list,
 * eight bits of checksum); no further derivation takes place. The same words give the same key in Python.
 */

import { entropyToMnemonic, mnemonicToEntropy } from "@scure/bip39";
import { wordlist } from "@scure/bip39/wordlists/english.js";

import { PhraseInvalid } from "./errors.js";
import { PrivateKey } from "./keys.js";

export const PHRASE_WORDS = 24;

/** The words a phrase is made of, in order: for a page that completes them as they are typed. */
export const WORDS: readonly string[] = wordlist;

/** The 24 words of a key. Whoever reads them has the key. */
export function phraseOf(key: PrivateKey): string {
  return entropyToMnemonic(key.secret(), wordlist);
}

/**
 * The key that these 24 words were written for. Case and spacing do not matter.
 *
 * Throws PhraseInvalid: wrong number of words, a word that is not in the list, or a wrong checksum. `field` is the number
 * of the word that is not in the list.
 */
export function keyFromPhrase(phrase: string): PrivateKey {
  const words = phrase.normalize("NFKD").toLowerCase().split(/\s+/u).filter(Boolean);
  if (words.length !== PHRASE_WORDS) {
    throw new PhraseInvalid(`a phrase has ${PHRASE_WORDS} words, not ${words.length}`);
  }
  const stranger = words.findIndex((word) => !wordlist.includes(word));
  if (stranger >= 0) {
    const field = `${stranger + 1}`;
    throw new PhraseInvalid(`word ${field} is not in the list of words`, { field });
  }
  let secret: Uint8Array;
  try {
    secret = mnemonicToEntropy(words.join(" "), wordlist);
  } catch {
    throw new PhraseInvalid("a word is wrong or in the wrong place: the checksum does not fit");
  }
  return new PrivateKey(secret);
}
