/** Tools that the matrix tries, installed by npm into .cache, and a folder for what they make. */
import { execFileSync, spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

export const root = Path.join(import.meta.dirname, "../..")

/** The folder in which a package is installed, such as `bun@1`. The first call installs it. */
export const home = (...packages: ReadonlyArray<string>): string => {
  const folder = Path.join(root, ".cache/matrix", packages.join("+").replace(/[^\w.@+-]/g, "-"))
  if (!Fs.existsSync(Path.join(folder, "done"))) {
    Fs.rmSync(folder, { recursive: true, force: true })
    Fs.mkdirSync(folder, { recursive: true })
    Fs.writeFileSync(Path.join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
    const args = ["install", "--no-audit", "--no-fund", "--loglevel=error", ...packages]
    execFileSync("npm", args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] })
    Fs.writeFileSync(Path.join(folder, "done"), "")
  }
  return folder
}

/** The path of a package's program. */
export const program = (package_: string, name: string): string => Path.join(home(package_), "node_modules/.bin", name)

const folders: Array<string> = []
process.once("exit", () => folders.forEach((each) => Fs.rmSync(each, { recursive: true, force: true })))

/** A new folder, which is removed when this process ends. */
export const folder = (name: string): string => {
  const made = Fs.mkdtempSync(Path.join(Os.tmpdir(), `effect-flame-${name}-`))
  folders.push(made)
  return made
}

/** The output of a program, and whether it exited with 0. */
export interface Said {
  readonly ok: boolean
  readonly text: string
}

/** Runs a program to its end. Fails it after half an hour. */
export const run = (
  cwd: string,
  command: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>> = {}
): Said => {
  const { error, status, stderr, stdout } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, ...env },
    timeout: 1_800_000,
    maxBuffer: 64 * 1024 * 1024
  })
  return { ok: status === 0, text: `${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}` }
}

let failures = 0

/** Prints the outcome of one cell of the matrix, and what was said where it failed. */
export const cell = (name: string, { ok, text }: Said, figures = ""): void => {
  if (!ok) failures++
  console.log(`${ok ? "ok    " : "FAILED"} ${name}${figures === "" ? "" : `: ${figures}`}`)
  if (!ok) console.log(text.trim().split("\n").slice(-30).join("\n"))
}

/** Cells that have failed so far. */
export const failed = (): number => failures
