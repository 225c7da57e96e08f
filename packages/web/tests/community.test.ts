import { expect, test } from "vitest";

import { flowsOf, sumFlows } from "../src/views/community/flows";

/** Two homes: one sold 500 Wh and exported 400, the other bought 500, imported 700. */
const METERED = {
  importWh: 700,
  exportWh: 400,
  undeliveredWh: 100,
  unusedWh: 0,
  otherImportWh: 200,
  otherExportWh: 0,
};

test("the supplier fills what was sold but not exported", () => {
  expect(flowsOf(METERED)).toEqual({
    neighboursWh: 400,
    fromSupplierWh: 300,
    toSupplierWh: 0,
    importWh: 700,
    exportWh: 400,
  });
});

test("what comes in goes out: import less export is what the supplier added", () => {
  const flows = flowsOf({ ...METERED, unusedWh: 50, otherExportWh: 30, importWh: 650, exportWh: 430 });
  expect(flows.importWh - flows.exportWh).toBe(flows.fromSupplierWh - flows.toSupplierWh);
  expect(flows.neighboursWh + flows.fromSupplierWh).toBe(flows.importWh);
  expect(flows.neighboursWh + flows.toSupplierWh).toBe(flows.exportWh);
});

test("a community without surplus gives nothing to neighbours", () => {
  const flows = flowsOf({ importWh: 900, exportWh: 0, undeliveredWh: 0, unusedWh: 0, otherImportWh: 900, otherExportWh: 0 });
  expect(flows.neighboursWh).toBe(0);
});

test("sums are sums", () => {
  const flows = flowsOf(METERED);
  expect(sumFlows([flows, flows]).fromSupplierWh).toBe(600);
  expect(sumFlows([]).neighboursWh).toBe(0);
});
