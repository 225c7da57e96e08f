import { defineConfig } from "vitest/config";

export default defineConfig({
  // A machine that is busy is no fault: the end is for what hangs.
  test: { include: ["tests/*.test.ts"], testTimeout: 60_000 },
});
