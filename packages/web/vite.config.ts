/// <reference types="vitest/config" />
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

const GATEWAY = process.env["GRIDTOKENX_GATEWAY"] ?? "http://127.0.0.1:8545";
const PROXY = Object.fromEntries(
  ["/v1", "/health", "/metrics", "/problems", "/openapi.json"].map((path) => [path, { target: GATEWAY, changeOrigin: true, ws: path === "/v1" }]),
);

/** What is in the page and by whom: licences ask to be passed on. */
const LICENCES = {
  svelte: "svelte/LICENSE.md",
  uplot: "uplot/LICENSE",
  "IBM Plex Sans Thai": "@fontsource/ibm-plex-sans-thai/LICENSE",
  "@noble/curves": "@noble/curves/LICENSE",
  "@noble/hashes": "@noble/hashes/LICENSE",
  "@scure/bip39": "@scure/bip39/LICENSE",
};

function licences(): Plugin {
  return {
    name: "licences",
    apply: "build",
    generateBundle() {
      const texts = Object.entries(LICENCES).map(([name, path]) => {
        const text = readFileSync(new URL(`../node_modules/${path}`, import.meta.url), "utf-8");
        return `${name}\n${"-".repeat(name.length)}\n\n${text.trim()}\n`;
      });
      this.emitFile({ type: "asset", fileName: "licences.txt", source: texts.join("\n\n") });
    },
  };
}

/** The gateway sends these instead to whoever takes them. Fonts are compressed already. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    writeBundle(options) {
      const folder = options.dir!;
      for (const name of readdirSync(folder, { recursive: true, encoding: "utf-8" })) {
        if (!/\.(js|css|html|svg|txt)$/.test(name)) continue;
        const content = readFileSync(join(folder, name));
        writeFileSync(join(folder, `${name}.br`), brotliCompressSync(content));
        writeFileSync(join(folder, `${name}.gz`), gzipSync(content, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  plugins: [svelte(), licences(), compressed()],
  resolve: {
    // The sources of the SDK, so that the page is built without building the SDK first.
    alias: { "@gridtokenx/sdk": fileURLToPath(new URL("../sdk/src/index.ts", import.meta.url)) },
  },
  server: { proxy: PROXY },
  preview: { proxy: PROXY },
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  test: { include: ["tests/**/*.test.ts"], environment: "node", testTimeout: 60_000 },
});
