// Bundles src/ into ../static: `node build.mjs [DIRECTORY]`. The result is the same on every machine.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const home = dirname(fileURLToPath(import.meta.url));

await build({
  absWorkingDir: home,
  entryPoints: [
    { in: "src/main.js", out: "page" },
    { in: "src/style.css", out: "page" },
  ],
  outdir: process.argv[2] ?? join(home, "..", "static"),
  bundle: true,
  charset: "utf8",
  format: "esm",
  legalComments: "none",
  logLevel: "warning",
  minify: true,
  target: ["chrome111", "firefox114", "safari16.4"],
});
