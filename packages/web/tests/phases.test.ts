import { expect, test } from "vitest";

import { meansSince } from "../src/views/chain/phases";

const metrics = (storeSeconds: number, storeCount: number): string => `# TYPE gridtokenx_block_phase_seconds histogram
gridtokenx_block_phase_seconds_bucket{le="0.0005",phase="store"} 1.0
gridtokenx_block_phase_seconds_count{phase="store"} ${storeCount}.0
gridtokenx_block_phase_seconds_sum{phase="store"} ${storeSeconds}
gridtokenx_block_phase_seconds_count{phase="execute"} 10.0
gridtokenx_block_phase_seconds_sum{phase="execute"} 0.01
other_seconds_sum{phase="execute"} 99
`;

test("means since the node started, longest first", () => {
  const { means } = meansSince(new Map(), metrics(0.5, 100));
  expect(means.map((mean) => mean.name)).toEqual(["store", "execute"]);
  expect(means[0]!.milliseconds).toBeCloseTo(5);
  expect(means[1]!.milliseconds).toBeCloseTo(1);
});

test("then only of the blocks since", () => {
  const first = meansSince(new Map(), metrics(0.5, 100));
  const second = meansSince(first.totals, metrics(0.7, 110));
  expect(second.means.find((mean) => mean.name === "store")!.milliseconds).toBeCloseTo(20);
});

test("a node that was started again counts anew", () => {
  const first = meansSince(new Map(), metrics(0.5, 100));
  const { means } = meansSince(first.totals, metrics(0.02, 2));
  expect(means.find((mean) => mean.name === "store")!.milliseconds).toBeCloseTo(10);
});

test("no metrics, no phases", () => {
  expect(meansSince(new Map(), "").means).toEqual([]);
});
