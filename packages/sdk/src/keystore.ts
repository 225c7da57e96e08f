/**
 * Key files: the very format of the Python keystore, so that a file made here opens there and the other way round.
 *
 * A file is JSON of fixed shape. The secret is under AES-256-GCM with a key that scrypt makes of the passphrase; the cost
 * of scrypt, salt, public key and format are bound to it as associated data. A checksum over the whole tells a damaged
 * file from a wrong passphrase. Where to keep the file is the caller's business (IndexedDB, a download).
 *
 * AES comes from WebCrypto, which browsers offer to pages of https and of this machine only.
 */

import { scryptAsync } from "@noble/hashes/scrypt.js";

import { fromHex, randomBytes, toHex } from "./bytes.js";
import { hashBytes } from "./crypto.js";
import { KeyFileCorrupt, KeystoreError, PassphraseMissing, PassphraseWrong } from "./errors.js";
import { PrivateKey } from "./keys.js";

export const KEY_FILE_FORMAT = "gridtokenx-key-1";
const FILE_CHARACTERS_MAX = 4_096;

/** scrypt's N = 2^17 with r = 8 takes 128 MiB and about half a second in a browser. */
export const COST_LOG2 = 17;
/** A file cannot make its reader take more than 1 GiB. */
const COST_LOG2_MAX = 20;
const BLOCK_SIZE = 8;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const SECRET_BYTES = 32;
const TAG_BYTES = 16;

/** How the secret is encrypted. Bytes are in lower-case hexadecimal; the names are those in the file. */
interface Protection {
  readonly derivation: string;
  readonly cost_log2: number;
  readonly block_size: number;
  readonly salt: string;
  readonly cipher: string;
  readonly nonce: string;
}

/** What a key file says. Without `protection` the secret is plain: a development key. */
export interface KeyFile {
  readonly format: string;
  readonly public_key: string;
  readonly protection: Protection | null;
  readonly secret: string;
  readonly checksum: string;
}

/** How the caller learns how far scrypt is, from 0 to 1. */
export type Progress = (done: number) => void;

/** What an encryption may be told. */
export interface EncryptOptions {
  readonly costLog2?: number;
  readonly onProgress?: Progress;
}

/** The text of an encrypted key file. Throws PassphraseMissing for an empty passphrase. */
export async function encryptKey(key: PrivateKey, passphrase: string, options: EncryptOptions = {}): Promise<string> {
  if (passphrase === "") throw new PassphraseMissing("an encrypted key needs a passphrase");
  const nonce = randomBytes(NONCE_BYTES);
  const protection: Protection = {
    derivation: "scrypt",
    cost_log2: options.costLog2 ?? COST_LOG2,
    block_size: BLOCK_SIZE,
    salt: toHex(randomBytes(SALT_BYTES)),
    cipher: "aes-256-gcm",
    nonce: toHex(nonce),
  };
  const publicKey = toHex(key.publicKey);
  const cipher = await derive(passphrase, protection, ["encrypt"], options.onProgress);
  const parameters = { name: "AES-GCM", iv: nonce, additionalData: associated(publicKey, protection) };
  const secret = await subtle().encrypt(parameters, cipher, key.secret());
  return seal(publicKey, protection, toHex(new Uint8Array(secret)));
}

/**
 * The text of a key file *without encryption*: for development, and for keys that something else protects. Anyone who
 * reads it has the key.
 */
export function developmentKeyFile(key: PrivateKey): string {
  return seal(toHex(key.publicKey), null, toHex(key.secret()));
}

/** The key in the text of a key file. Throws KeyFileCorrupt, PassphraseMissing, PassphraseWrong. */
export async function decryptKey(source: string, passphrase?: string, onProgress?: Progress): Promise<PrivateKey> {
  const file = readKeyFile(source);
  const key = new PrivateKey(await secretOf(file, passphrase, onProgress));
  if (toHex(key.publicKey) !== file.public_key) {
    throw new KeyFileCorrupt("the key file names another public key than its own");
  }
  return key;
}

/** The document, found whole; needs no passphrase. Throws KeyFileCorrupt saying what is wrong. */
export function readKeyFile(source: string): KeyFile {
  if (source.length > FILE_CHARACTERS_MAX) {
    throw new KeyFileCorrupt(`a key file has at most ${FILE_CHARACTERS_MAX} characters`);
  }
  let file: KeyFile;
  try {
    file = JSON.parse(source) as KeyFile;
  } catch (cause) {
    throw new KeyFileCorrupt("the key file cannot be read: this is not JSON", { cause });
  }
  if (!isPlausible(file)) throw new KeyFileCorrupt("the key file has a field that is missing or out of bounds");
  if (seal(file.public_key, file.protection, file.secret) !== source) {
    throw new KeyFileCorrupt("the key file was changed since it was written: its checksum does not fit");
  }
  return file;
}

async function secretOf(file: KeyFile, passphrase?: string, onProgress?: Progress): Promise<Uint8Array> {
  const stored = hexBytes(file.secret);
  if (file.protection === null) return stored;
  if (passphrase === undefined || passphrase === "") {
    throw new PassphraseMissing("this key is encrypted: it needs its passphrase");
  }
  const cipher = await derive(passphrase, file.protection, ["decrypt"], onProgress);
  const additionalData = associated(file.public_key, file.protection);
  const parameters = { name: "AES-GCM", iv: hexBytes(file.protection.nonce), additionalData };
  try {
    return new Uint8Array(await subtle().decrypt(parameters, cipher, stored));
  } catch {
    throw new PassphraseWrong("the passphrase does not open this key");
  }
}

/** Unicode is normalised, as Python does with what is typed: every keyboard gives the same bytes. */
async function derive(
  passphrase: string,
  protection: Protection,
  usages: KeyUsage[],
  onProgress?: Progress,
): Promise<CryptoKey> {
  const derived = await scryptAsync(new TextEncoder().encode(passphrase.normalize("NFKC")), hexBytes(protection.salt), {
    N: 2 ** protection.cost_log2,
    r: protection.block_size,
    p: 1,
    dkLen: 32,
    maxmem: 2 ** 31,
    ...(onProgress && { onProgress }),
  });
  return subtle().importKey("raw", new Uint8Array(derived), "AES-GCM", false, usages);
}

function subtle(): SubtleCrypto {
  // Typed as always there; a page of plain http from another machine has none.
  const found = globalThis.crypto.subtle as SubtleCrypto | undefined;
  if (found === undefined) throw new KeystoreError("keys can be encrypted only by a page that came over https");
  return found;
}

function associated(publicKey: string, protection: Protection): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify([KEY_FILE_FORMAT, publicKey, ordered(protection)]));
}

/** The file's text: the one spelling of this content, with its checksum. */
function seal(publicKey: string, protection: Protection | null, secret: string): string {
  const inOrder = protection && ordered(protection);
  const sealed = JSON.stringify([KEY_FILE_FORMAT, publicKey, inOrder, secret]);
  const checksum = toHex(hashBytes(new TextEncoder().encode(sealed)));
  const file: KeyFile = { format: KEY_FILE_FORMAT, public_key: publicKey, protection: inOrder, secret, checksum };
  return `${JSON.stringify(file, null, 2)}\n`;
}

function ordered(protection: Protection): Protection {
  const { derivation, cost_log2, block_size, salt, cipher, nonce } = protection;
  return { derivation, cost_log2, block_size, salt, cipher, nonce };
}

function isPlausible(file: KeyFile): boolean {
  if (typeof file !== "object" || file === null || file.format !== KEY_FILE_FORMAT) return false;
  const protection = file.protection;
  if (!isHex(file.public_key, 32) || typeof file.checksum !== "string") return false;
  if (protection === null) return isHex(file.secret, SECRET_BYTES);
  return (
    typeof protection === "object" &&
    protection.derivation === "scrypt" &&
    protection.cipher === "aes-256-gcm" &&
    protection.block_size === BLOCK_SIZE &&
    Number.isInteger(protection.cost_log2) &&
    protection.cost_log2 > 1 &&
    protection.cost_log2 <= COST_LOG2_MAX &&
    isHex(protection.salt, SALT_BYTES) &&
    isHex(protection.nonce, NONCE_BYTES) &&
    isHex(file.secret, SECRET_BYTES + TAG_BYTES)
  );
}

function isHex(value: unknown, size: number): value is string {
  return typeof value === "string" && fromHex(value)?.length === size;
}

function hexBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new KeyFileCorrupt("the key file has a field that is not hexadecimal");
  return bytes;
}
