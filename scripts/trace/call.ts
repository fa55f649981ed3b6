/**
 * `npm run trace:call [-- --functions]`: prints the functions of src that a boot, a warm call and an idle stop enter, in
 * order, on the parent and on the runner. A newcomer reads the code in this order.
 *
 * Without `--functions` each file is printed once, with the number of its functions that were entered.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

interface Entered {
  readonly file: string
  readonly name: string
  readonly line: number
}

interface Trace {
  readonly names: ReadonlyArray<Entered>
  /** Pairs of numbers, one after the other: index of a function in `names`, and the time of its entry. */
  readonly entries: ReadonlyArray<number>
}

interface Traced {
  /** The parent's process id. */
  readonly parent: number
  /** The start and end of each traced step, in milliseconds since the epoch. */
  readonly windows: Readonly<Record<"boot" | "call" | "stop", readonly [number, number]>>
}

const folder = mkdtempSync(join(tmpdir(), "trace-call-"))
const read = (file: string): unknown => JSON.parse(readFileSync(join(folder, file), "utf8"))

const trace = (): void => {
  const hook = new URL("./hook.mjs", import.meta.url).href
  const app = fileURLToPath(new URL("./app.ts", import.meta.url))
  const args = ["--no-warnings", "--conditions=effect-flame-source", "--import", hook, app]
  execFileSync(process.execPath, args, { env: { ...process.env, TRACE_FOLDER: folder }, stdio: "inherit" })
}

/** The functions entered within a window, each once, in the order of their first entry. */
const within = ({ entries, names }: Trace, [from, to]: readonly [number, number]): ReadonlyArray<Entered> => {
  const numbers = new Set<number>()
  for (let i = 0; i < entries.length; i += 2) {
    if (entries[i + 1]! >= from && entries[i + 1]! <= to) numbers.add(entries[i]!)
  }
  return [...numbers].map((number) => names[number]!)
}

const print = (title: string, entered: ReadonlyArray<Entered>): void => {
  const files = new Map<string, Array<Entered>>()
  for (const one of entered) files.set(one.file, [...(files.get(one.file) ?? []), one])
  console.log(`\n${title}: ${entered.length} functions in ${files.size} files`)
  if (process.argv.includes("--functions")) {
    for (const { file, line, name } of entered) console.log(`  ${`${file}:${line}`.padEnd(48)} ${name}`)
  } else {
    for (const [file, functions] of files) console.log(`  ${file.padEnd(44)} ${functions.length}`)
  }
}

try {
  trace()
  const { parent, windows } = read("windows.json") as Traced
  const other = readdirSync(folder).find((name) => /^\d+\.json$/.test(name) && name !== `${parent}.json`)
  if (other === undefined) throw new Error(`the runner wrote no trace to ${folder}`)
  const traces = { parent: read(`${parent}.json`) as Trace, runner: read(other) as Trace }
  for (const [name, window] of Object.entries(windows)) {
    print(`${name}, parent`, within(traces.parent, window))
    print(`${name}, runner`, within(traces.runner, window))
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
