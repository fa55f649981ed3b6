#!/usr/bin/env node
/**
 * The file that `npx effect-flame` runs: starts the program beside it, where Node is new enough.
 *
 * An older Node would fail while it loads the program, with a page of bundled code in place of the cause.
 */
import manifest from "../../package.json" with { type: "json" }

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
const [oldestMajor = 0, oldestMinor = 0] = manifest.engines.node.replace(">=", "").split(".").map(Number)

if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) {
  // The path is computed, so that no bundler puts the program into this file.
  await import(new URL("program.js", import.meta.url).href)
} else {
  process.stderr.write(
    `effect-flame: this is Node ${process.versions.node}, and effect-flame needs Node ${oldestMajor}.${oldestMinor} or newer\n`
  )
  process.exitCode = 1
}
