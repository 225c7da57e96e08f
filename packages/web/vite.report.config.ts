/** The report's page as one file: scripts, styles and fonts stand inside, so that it opens from a disk. */
import { readFileSync } from "node:fs";

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

const TEMPLATE = "report.html";

/** What stands in the page and by whom: licences ask to be passed on. */
const LICENCES = ["svelte/LICENSE.md", "uplot/LICENSE", "@fontsource/ibm-plex-sans-thai/LICENSE"];

/** Puts the one script and the one style sheet into the page that asks for them. */
function oneFile(): Plugin {
  return {
    name: "one-file",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const page = bundle[TEMPLATE];
      if (page?.type !== "asset") throw new Error(`${TEMPLATE} is not in the bundle`);
      let text = String(page.source);
      for (const [name, part] of Object.entries(bundle)) {
        if (name === TEMPLATE) continue;
        const place = new RegExp(`<(?:script|link)[^>]*(?:src|href)="[^"]*${escaped(name)}"[^>]*>(?:</script>)?`);
        if (!place.test(text)) throw new Error(`${name} is not asked for by ${TEMPLATE}`);
        const inside =
          part.type === "chunk"
            ? `<script type="module">${part.code.replaceAll("</script", "<\\/script")}</script>`
            : `<style>${String(part.source).replaceAll("</style", "<\\/style")}</style>`;
        text = text.replace(place, () => inside);
        delete bundle[name];
      }
      page.source = text.replace("</body>", () => `  <script type="text/plain" id="licences">${licences()}</script>\n  </body>`);
    },
  };
}

function licences(): string {
  const texts = LICENCES.map((path) => readFileSync(new URL(`../node_modules/${path}`, import.meta.url), "utf-8").trim());
  return texts.join("\n\n----\n\n").replaceAll("<", "&lt;");
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

export default defineConfig({
  plugins: [svelte(), oneFile()],
  publicDir: false,
  build: {
    target: "es2022",
    emptyOutDir: false,
    assetsInlineLimit: Number.MAX_SAFE_INTEGER,
    cssCodeSplit: false,
    modulePreload: false,
    rollupOptions: { input: TEMPLATE },
  },
});
