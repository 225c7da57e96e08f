/** Who supplied whom, from what meters counted and what was contracted. Pure. */

export interface Metered {
  readonly importWh: number;
  readonly exportWh: number;
  readonly undeliveredWh: number;
  readonly unusedWh: number;
  readonly otherImportWh: number;
  readonly otherExportWh: number;
}

export interface Flows {
  /** Exported by a home and imported by another one. */
  readonly neighboursWh: number;
  readonly fromSupplierWh: number;
  readonly toSupplierWh: number;
  readonly importWh: number;
  readonly exportWh: number;
}

/**
 * The supplier delivers what nobody sold and what was sold but not exported; it takes what nobody bought and what was
 * bought but not used. The rest of the import is the rest of the export: neighbours gave it to neighbours.
 */
export function flowsOf(metered: Metered): Flows {
  const fromSupplierWh = metered.otherImportWh + metered.undeliveredWh;
  const toSupplierWh = metered.otherExportWh + metered.unusedWh;
  const neighboursWh = Math.max(0, Math.min(metered.importWh - fromSupplierWh, metered.exportWh - toSupplierWh));
  return { neighboursWh, fromSupplierWh, toSupplierWh, importWh: metered.importWh, exportWh: metered.exportWh };
}

export function sumFlows(flows: readonly Flows[]): Flows {
  const sum = (pick: (each: Flows) => number): number => flows.reduce((total, each) => total + pick(each), 0);
  return {
    neighboursWh: sum((each) => each.neighboursWh),
    fromSupplierWh: sum((each) => each.fromSupplierWh),
    toSupplierWh: sum((each) => each.toSupplierWh),
    importWh: sum((each) => each.importWh),
    exportWh: sum((each) => each.exportWh),
  };
}
