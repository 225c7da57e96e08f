import { expect, test } from "vitest";

import { ChainClock } from "../src/lib/clock";

const START_MS = 1_679_280_000_000;

/** A chain that makes a block each second, 60 seconds of its own later. */
function fastClock(blocks: number): ChainClock {
  const clock = new ChainClock();
  for (let block = 0; block < blocks; block += 1) clock.observe(START_MS + block * 60_000, block * 1_000, true);
  return clock;
}

test("knows no time before the first block", () => {
  expect(new ChainClock().now(123)).toBe(0);
});

test("runs in real time until speed is known", () => {
  const clock = new ChainClock();
  clock.observe(START_MS, 1_000, true);
  expect(clock.speed).toBe(1);
  expect(clock.now(1_500)).toBe(START_MS + 500);
});

test("measures speed and moves between blocks", () => {
  const clock = fastClock(10);
  expect(clock.speed).toBeCloseTo(60);
  expect(clock.now(9_500)).toBe(START_MS + 9 * 60_000 + 30_000);
});

test("never goes back when a block comes earlier than expected", () => {
  const clock = fastClock(10);
  const ahead = clock.now(9_900);
  clock.observe(START_MS + 9 * 60_000 + 20_000, 9_950, true);
  expect(clock.now(9_960)).toBeGreaterThanOrEqual(ahead);
});

test("stands when a fast chain makes no more blocks", () => {
  const clock = fastClock(10);
  expect(clock.now(60_000)).toBe(clock.now(600_000));
});

test("goes on when a chain in real time is only quiet", () => {
  const clock = new ChainClock();
  for (let block = 0; block < 5; block += 1) clock.observe(START_MS + block * 1_000, block * 1_000, true);
  expect(clock.now(64_000)).toBe(START_MS + 64_000);
});

test("what was asked for says nothing about speed", () => {
  const clock = new ChainClock();
  clock.observe(START_MS, 0, false);
  clock.observe(START_MS + 60_000, 2_000, false);
  expect(clock.speed).toBe(1);
  expect(clock.now(2_100)).toBe(START_MS + 60_100);
});

test("an old block changes nothing", () => {
  const clock = fastClock(3);
  clock.observe(START_MS, 2_100, true);
  expect(clock.now(2_000)).toBe(START_MS + 2 * 60_000);
});
