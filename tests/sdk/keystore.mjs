// Opens key files and makes them: {"open": [[file, passphrase], ...], "make": [[secret, passphrase, cost], ...]}.

import { text } from "node:stream/consumers";

import * as sdk from "../../packages/sdk/dist/index.js";

const given = JSON.parse(await text(process.stdin));
const opened = [];
for (const [file, passphrase] of given.open) {
  try {
    opened.push(sdk.toHex((await sdk.decryptKey(file, passphrase)).secret()));
  } catch (error) {
    opened.push(error.name);
  }
}
const made = [];
for (const [secret, passphrase, costLog2] of given.make) {
  const key = new sdk.PrivateKey(sdk.fromHex(secret));
  made.push(passphrase === null ? sdk.developmentKeyFile(key) : await sdk.encryptKey(key, passphrase, { costLog2 }));
}
console.log(JSON.stringify({ opened, made, phrases: given.make.map(([secret]) => phraseOf(secret)) }));

function phraseOf(secret) {
  return sdk.phraseOf(new sdk.PrivateKey(sdk.fromHex(secret)));
}
