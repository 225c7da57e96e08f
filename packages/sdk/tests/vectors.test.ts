import { expect, test } from "vitest";

import { CHECKS } from "./checks.js";
import { vectorNames } from "./plain.js";

test("there is a check for each golden file", () => {
  expect(Object.keys(CHECKS).sort()).toEqual(vectorNames().sort());
});

test.each(Object.keys(CHECKS))("the golden vectors of %s hold", (name) => {
  CHECKS[name]!();
});
