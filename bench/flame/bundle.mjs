// Builds a deployment as the project's README recommends: the library as JavaScript for the parent, and bundles of the
// runners' entries. Builds from src each time, so that no stale build is measured.
import cp from "node:child_process"
import fs from "node:fs"
import path from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { compileCache, fillCompileCache } from "../../scripts/compile-cache.ts"
import * as Build from "../../src/build.ts"

const here = (file) => fileURLToPath(new URL(file, import.meta.url))
const root = here("../..")
const out = here("../.out")
const ENTRIES = ["runner", "runner-placed", "runner-traced", "runner-profiled"]

/** The variables by which a runner finds its compiled code. */
export const cached = () => compileCache(out)

/** The runner with a snapshot beside it, which `effect-flame/build` has made. */
export const snapshotted = () => path.join(out, "snapshot/runner.mjs")

export const bundled = (entry) => path.join(out, `${entry}.mjs`)

/** Runs the project's own build, without declarations, into the folder of the benchmark. */
const buildLibrary = () => {
  const tsdown = path.join(root, "node_modules/tsdown/dist/run.mjs")
  const argv = [tsdown, "--no-dts", "--no-sourcemap", "--log-level", "error", "--out-dir", path.join(out, "lib")]
  cp.execFileSync(process.execPath, argv, { cwd: root, stdio: ["ignore", "ignore", "pipe"] })
}

const runner = (entry) => ({
  input: here(`${entry}.mjs`),
  platform: "node",
  external: [/^node:/],
  logLevel: "silent",
  cwd: root,
  // A profile needs names of functions, and the comments that name the modules.
  output: {
    dir: path.dirname(bundled(entry)),
    entryFileNames: path.basename(bundled(entry)),
    chunkFileNames: `${entry}-[name]-[hash].mjs`,
    format: "esm",
    minify: entry !== "runner-profiled"
  }
})

/** Writes all bundles. Returns the error text, if any failed. */
export const bundleAll = async () => {
  try {
    buildLibrary()
    const { build } = await import("rolldown")
    await build(ENTRIES.map(runner))
    fs.rmSync(cached().NODE_COMPILE_CACHE, { recursive: true, force: true })
    await fillCompileCache(bundled("runner"))
    const options = { folder: path.dirname(snapshotted()), snapshot: true }
    await Effect.runPromise(Build.bundle({ runner: here("runner.mjs") }, options))
  } catch (error) {
    return String(error?.message ?? error)
      .split("\n")
      .slice(0, 3)
      .join(" ")
  }
}
