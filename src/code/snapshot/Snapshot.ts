/** Makes V8 startup snapshots: the memory of a program that has loaded, from which its runners start. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SnapshotRefused } from "../../error/SnapshotRefused.ts"
import { prefix } from "../../process/RoleVariables.ts"
import type { CodeFile } from "../CodePack.ts"
import { bundleSnapshot } from "./SnapshotBundle.ts"
import { checkSnapshot } from "./SnapshotCheck.ts"
import * as SnapshotFile from "./SnapshotFile.ts"

/**
 * Makes the snapshot of one entry of a bundle, and the file that says what the snapshot belongs to.
 *
 * `name` is the name of the entry's file without `.mjs`, and `entry` its source. `files` are those of the bundle, with
 * source maps. Rejects with `SnapshotRefused`.
 */
export const makeSnapshot = async (
  name: string,
  entry: string,
  files: ReadonlyArray<CodeFile>,
  allow: ReadonlyArray<string>
): Promise<ReadonlyArray<CodeFile>> => {
  const made = await bundled(name, entry, files)
  const folder = mkdtempSync(join(tmpdir(), "effect-flame-snapshot-"))
  try {
    // Stacks of runners name this file.
    const file = join(folder, `${name}.snapshot.cjs`)
    writeFileSync(file, made.code)
    const env = environment()
    checkSnapshot({ ...made, entry, file, allow, env })
    const blob = join(folder, `${name}.snapshot`)
    const { signal, status, stderr } = spawnSync(
      process.execPath,
      ["--no-warnings", `--snapshot-blob=${blob}`, "--build-snapshot", file],
      { env, cwd: folder, encoding: "utf8", stdio: ["ignore", "ignore", "pipe"] }
    )
    if (status !== 0) {
      const detail = `cannot be stored by Node, which ended with ${status ?? signal}: ${lineOf(stderr)}`
      throw new SnapshotRefused({ entry, modules: [{ module: entry, detail }] })
    }
    const code = files.find((each) => each.name === `${name}.mjs`)!
    return [
      { name: SnapshotFile.nameOf(`${name}.mjs`), kind: "file", bytes: readFileSync(blob) },
      { name: SnapshotFile.markOf(`${name}.mjs`), kind: "file", bytes: SnapshotFile.mark(code.bytes) }
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const bundled = async (name: string, entry: string, files: ReadonlyArray<CodeFile>) => {
  try {
    return await bundleSnapshot(name, files)
  } catch (error) {
    const text = String((error as { readonly message?: unknown }).message ?? error)
    const detail = /top-level await/i.test(text)
      ? "awaits while it loads: a snapshot is made of a script, which has no `await` at its top level"
      : `cannot be joined into one script: ${firstLines(text)}`
    throw new SnapshotRefused({ entry, modules: [{ module: entry, detail }] })
  }
}

const firstLines = (text: string): string => text.trim().split("\n").slice(0, 4).join(" ")

/** The line that says what went wrong: before it Node prints the line of the code, and after it a stack. */
const lineOf = (stderr: string): string =>
  stderr.split("\n").find((line) => /^\w*Error\b|^# .*failed|Assertion/.test(line)) ?? firstLines(stderr)

/** The environment of this process without what would change how the program loads. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !name.startsWith(prefix) && !["NODE_OPTIONS", "NODE_COMPILE_CACHE", "NODE_V8_COVERAGE"].includes(name)
    )
  )
