/** Finds the modules that cannot be in a snapshot, by loading the program in a process of its own. */
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { SourceMap } from "node:module"
import { dirname, join, relative, resolve } from "node:path"
import { SnapshotRefused } from "../../error/SnapshotRefused.ts"
import * as OwnFiles from "../OwnFiles.ts"
import { checkScript, type Finding, type Findings, type Position } from "./CheckScript.ts"
import type { SnapshotBundle } from "./SnapshotBundle.ts"

/** A program whose file has been written, to be checked. */
export interface Checked extends SnapshotBundle {
  /** The entry of the program, for people. */
  readonly entry: string
  /** The file of the program. */
  readonly file: string
  /** Packages that may read the environment while they load. */
  readonly allow: ReadonlyArray<string>
  readonly env: NodeJS.ProcessEnv
}

/** Fails with `SnapshotRefused` where a module does something while it loads that must not be in a snapshot. */
export const checkSnapshot = (checked: Checked): void => {
  const { entry, env, file } = checked
  const folder = dirname(file)
  const script = join(folder, "check.cjs")
  const into = join(folder, "findings.json")
  writeFileSync(script, checkScript)
  const { stderr, status, signal } = spawnSync(process.execPath, ["--no-warnings", script, file, into], {
    env,
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"]
  })
  if (!existsSync(into)) {
    const detail = `ended with ${status ?? signal} while it loaded: ${stderr.trim().split("\n").slice(-5).join(" ")}`
    throw new SnapshotRefused({ entry, modules: [{ module: entry, detail }] })
  }
  const { findings, runs } = JSON.parse(readFileSync(into, "utf8")) as Findings
  const modules = named(checked, findings)
  if (modules.length === 0 && !runs) {
    modules.push({ module: entry, detail: "does not run its program by `runMain` of effect-flame while it loads" })
  }
  if (modules.length > 0) throw new SnapshotRefused({ entry, modules })
}

interface Place {
  readonly file: string
  readonly line: number
}

/** The findings with the names of their modules, each once, without those of packages that are allowed. */
const named = ({ allow, entry, map }: Checked, findings: ReadonlyArray<Finding>) => {
  const sources = new SourceMap(JSON.parse(map) as ConstructorParameters<typeof SourceMap>[0])
  const root = dirname(entry)
  const modules: Array<{ readonly module: string; readonly detail: string }> = []
  for (const { does, frames } of findings) {
    const places = frames.flatMap((frame) => placeOf(sources, frame))
    const [first] = places
    if (first !== undefined && allow.some((name) => first.file.includes(`/node_modules/${name}/`))) continue
    const own = places.find(({ file }) => OwnFiles.own.test(file))
    const through = own === undefined || own === first ? "" : `, called by ${relative(root, own.file)}:${own.line}`
    const module = first === undefined ? entry : relative(root, first.file)
    const detail = `${does} while it loads${first === undefined ? "" : ` (line ${first.line})`}${through}`
    if (!modules.some((each) => each.module === module && each.detail === detail)) modules.push({ module, detail })
  }
  return modules
}

const placeOf = (sources: SourceMap, { column, line }: Position): ReadonlyArray<Place> => {
  const entry = sources.findEntry(line - 1, column - 1)
  return "originalSource" in entry ? [{ file: resolve("/", entry.originalSource), line: entry.originalLine + 1 }] : []
}
