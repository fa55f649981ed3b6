// Bundles the runners' entries, as the README of the project recommends.
import path from "node:path"
import { fileURLToPath } from "node:url"

const here = (file) => fileURLToPath(new URL(file, import.meta.url))
const out = here("../.out")
const ENTRIES = ["runner", "runner-traced", "runner-profiled"]

export const bundled = (entry) => path.join(out, `${entry}.mjs`)

/** Writes one file per entry; answers what went wrong, if anything did. */
export const bundleRunners = async () => {
  try {
    const { build } = await import("rolldown")
    for (const entry of ENTRIES) {
      await build({
        input: here(`${entry}.mjs`),
        platform: "node",
        external: [/^node:/],
        logLevel: "silent",
        output: { file: bundled(entry), format: "esm", minify: entry !== "runner-profiled", codeSplitting: false }
      })
    }
  } catch (error) {
    return String(error?.message ?? error)
      .split("\n")
      .slice(0, 3)
      .join(" ")
  }
}
