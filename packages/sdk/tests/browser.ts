/**
 * Runs the checks of the golden vectors where the page is opened: a line for each, and when all are done
 * `document.body.dataset.state` is "passed" or "failed". The SDK is at hand as `gridtokenx`.
 */

import * as sdk from "../src/index.js";
import { CHECKS } from "./checks.js";

declare global {
  var gridtokenx: typeof sdk;
}

globalThis.gridtokenx = sdk;

const results = document.querySelector("#results")!;
let state = "passed";
for (const [name, check] of Object.entries(CHECKS)) {
  const line = document.createElement("li");
  results.append(line);
  try {
    check();
    line.textContent = `${name}: holds`;
  } catch (error) {
    line.textContent = `${name}: ${String(error)}`;
    state = "failed";
  }
}
document.body.dataset["state"] = state;
