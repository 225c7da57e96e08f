import { expect, test } from "vitest";

import { CHECKS } from "./checks.js";
import { vectorNames } from "./plain.js";

/** Headers of a consensus: this SDK has no light client. */
const FOR_OTHERS = ["light"];

test("there is a check for each golden file", () => {
  expect([...Object.keys(CHECKS), ...FOR_OTHERS].sort()).toEqual(vectorNames().sort());
});

test.each(Object.keys(CHECKS))("the golden vectors of %s hold", (name) => {
  CHECKS[name]!();
});
