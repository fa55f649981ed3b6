/**
 * Folders in which the blocks of documents are compiled and run: one per block, which also holds the named files of the
 * blocks before it on the same page.
 */
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { type Block, isTypeScript, label } from "./Block.ts"

/** A block with its folder. */
export interface Job {
  readonly block: Block
  readonly folder: string
  /** The block's own file in that folder. */
  readonly file: string
}

/** The result of a program. */
export interface Run {
  readonly ok: boolean
  readonly output: string
}

const fileOf = ({ file, info, language }: Block): string => file ?? info["file"] ?? `block.${language}`

/**
 * Options of vitest for the blocks that are tests. The limit only ends a test that hangs: vitest's own, 5 s, also holds a
 * slow machine to a bound. Vite has no flag for conditions, and does not read those of Node.
 */
const vitestConfig = (conditions: ReadonlyArray<string>): string =>
  `export default ${JSON.stringify({
    ssr: { resolve: { conditions: [...conditions, "module", "node", "development|production"] } },
    test: { testTimeout: 120_000, hookTimeout: 120_000 }
  })}`

/**
 * Empties `root`, then writes one folder per block into it. Tests among the blocks resolve packages with `conditions`.
 */
export const write = (
  root: string,
  blocks: ReadonlyArray<Block>,
  conditions: ReadonlyArray<string>
): ReadonlyArray<Job> => {
  Fs.mkdirSync(root, { recursive: true })
  Fs.writeFileSync(Path.join(root, "vitest.config.mjs"), vitestConfig(conditions))
  for (const name of Fs.readdirSync(root)) {
    if (name.startsWith("page-")) Fs.rmSync(Path.join(root, name), { recursive: true, force: true })
  }
  const named = new Map<string, Map<string, string>>()
  return blocks.map((block) => {
    const page = `page-${block.page.replaceAll(/\W+/g, "-")}`
    const folder = Path.join(root, page, String(block.line))
    const files = named.get(page) ?? new Map<string, string>()
    named.set(page, files)
    const file = fileOf(block)
    const code = block.hidden + block.code
    if (block.file !== undefined || block.info["file"] !== undefined) files.set(file, code)
    for (const [name, content] of new Map([...files, [file, code]])) {
      const path = Path.join(folder, name)
      Fs.mkdirSync(Path.dirname(path), { recursive: true })
      Fs.writeFileSync(path, content)
    }
    return { block, folder, file: Path.join(folder, file) }
  })
}

/** The compiler options that an app would have in its own tsconfig.json. */
const compilerOptions = {
  module: "NodeNext",
  target: "ES2024",
  lib: ["ES2024", "DOM"],
  strict: true,
  exactOptionalPropertyTypes: true,
  erasableSyntaxOnly: true,
  allowImportingTsExtensions: true,
  noEmit: true,
  skipLibCheck: true,
  types: ["node"]
}

/** Compiles all TypeScript blocks in one run. Returns the errors by the folder of their block. */
export const compile = (
  root: string,
  jobs: ReadonlyArray<Job>,
  customConditions: ReadonlyArray<string>
): ReadonlyMap<string, ReadonlyArray<string>> => {
  const files = jobs.filter(({ block }) => isTypeScript(block)).map(({ file }) => Path.relative(root, file))
  const tsconfig = { compilerOptions: { ...compilerOptions, customConditions }, files }
  Fs.writeFileSync(Path.join(root, "tsconfig.json"), JSON.stringify(tsconfig))
  const { error, stdout } = ChildProcess.spawnSync("tsc", ["-p", root, "--pretty", "false"], {
    cwd: root,
    encoding: "utf8"
  })
  if (error !== undefined) throw error
  const errors = new Map<string, Array<string>>()
  // The second and later lines of an error are indented.
  for (const text of stdout.split(/\n(?=\S)/).filter((text) => text.trim() !== "")) {
    const at = jobs.find(({ folder }) => text.startsWith(Path.relative(root, folder) + Path.sep))
    if (at === undefined) throw new Error(`tsc: ${text}`)
    errors.set(at.folder, [...(errors.get(at.folder) ?? []), pageLine(root, at, text)])
  }
  return errors
}

/** Names the line of the document instead of the line of the file. */
const pageLine = (root: string, { block, file }: Job, text: string): string => {
  const own = Path.relative(root, file)
  if (!text.startsWith(`${own}(`)) return text
  const hidden = block.hidden.split("\n").length - 1
  return text
    .slice(own.length)
    .replace(/^\((\d+),/, (_, line) => `${block.page}:${Number(line) - hidden + block.line} (`)
}

/** The command that runs a block: vitest for a test file, bash for shell, Node for all others. */
const command = ({ block, file, folder }: Job): ReadonlyArray<string> => {
  if (block.language === "sh") return ["bash", "-euo", "pipefail", file]
  if (file.endsWith(".test.ts")) {
    return ["vitest", "run", "--config", Path.join(folder, "../../vitest.config.mjs"), "--root", folder, file]
  }
  return [process.execPath, file]
}

/**
 * Runs a block to its end, at most `timeout` ms. `until="text"` in the fence stops a program that serves: the program
 * gets SIGTERM when its output holds that text, and has to exit with 0.
 */
export const run = (job: Job, timeout: number): Promise<Run> =>
  new Promise((resolve) => {
    const { block, folder } = job
    const [program, ...args] = command(job)
    const until = block.info["until"]
    const child = ChildProcess.spawn(program!, args, {
      cwd: folder,
      // In a process group of its own, a program that hangs can be killed together with its children.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", PORT: "0" }
    })
    let output = ""
    let stopped = until === undefined
    const hear = (chunk: Buffer): void => {
      output += chunk.toString()
      if (stopped || !output.includes(until!)) return
      stopped = true
      child.kill("SIGTERM")
    }
    child.stdout.on("data", hear)
    child.stderr.on("data", hear)
    const timer = setTimeout(() => {
      output += `\n${label(block)} has not ended after ${timeout} ms`
      process.kill(-child.pid!, "SIGKILL")
    }, timeout)
    child.once("error", (cause) => resolve({ ok: false, output: cause.message }))
    child.once("close", (code, signal) => {
      clearTimeout(timer)
      if (!stopped) output += `\n${label(block)} never wrote ${JSON.stringify(until)}`
      resolve({ ok: code === 0 && stopped, output: `${output}\nexit ${code ?? signal}` })
    })
  })

/** The expected lines that an output lacks. `…` in a line matches any text. Order is not checked: lines of runners and parent mix. */
export const missingOutput = (output: string, expected: string): ReadonlyArray<string> => {
  const escape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
  const pattern = (line: string): RegExp =>
    new RegExp(
      line
        .trim()
        .split("…")
        .map(escape)
        .join(String.raw`[^\n]*`)
    )
  return expected
    .trim()
    .split("\n")
    .filter((line) => !pattern(line).test(output))
}

/** The block ```` ```text output ```` that follows a program: lines that its output has to hold. */
export const expectedOutput = ({ block }: Job, blocks: ReadonlyArray<Block>): Block | undefined => {
  const next = blocks[blocks.indexOf(block) + 1]
  return next?.page === block.page && next.info["output"] !== undefined ? next : undefined
}
