/** The checks of the golden vectors as a page: any web server can serve `tests/dist`, any browser open `browser.html`. */

import { defineConfig } from "vite";

export default defineConfig({
  root: "tests",
  base: "./",
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2023",
    modulePreload: { polyfill: false },
    rolldownOptions: { input: "tests/browser.html" },
    chunkSizeWarningLimit: 10_000,
  },
});
