/**
 * `npm run check:mistakes` [C225]: the commonest mistakes of an app's author, and what the compiler says about each.
 *
 * Every file of test/fixtures/types/mistakes has one mistake. Its first line is text that the diagnostic must contain, in
 * each of the compilers that apps use. TypeScript 7 is the one of this repository, the older ones are installed into
 * .cache: as devDependencies their `tsc` would take the place of ours.
 */
import { execFileSync, spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"

const root = Path.join(import.meta.dirname, "..")
const folder = Path.join(root, "test/fixtures/types/mistakes")

/** The path of a compiler's `tsc`. Without a version: the compiler of this repository. */
const compiler = (version: string | undefined): string => {
  if (version === undefined) return Path.join(root, "node_modules/typescript/bin/tsc")
  const home = Path.join(root, ".cache", `typescript-${version}`)
  const program = Path.join(home, "node_modules/typescript/bin/tsc")
  if (!Fs.existsSync(program)) {
    Fs.mkdirSync(home, { recursive: true })
    Fs.writeFileSync(Path.join(home, "package.json"), JSON.stringify({ private: true }))
    const args = ["install", "--no-audit", "--no-fund", "--ignore-scripts", `typescript@${version}`]
    execFileSync("npm", args, { cwd: home, stdio: ["ignore", "ignore", "inherit"] })
  }
  return program
}

/** The diagnostics of each file, by its name. */
const diagnose = (program: string): ReadonlyMap<string, string> => {
  const { stdout } = spawnSync(process.execPath, [program, "-p", folder, "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8"
  })
  const found = new Map<string, string>()
  let file = ""
  for (const line of stdout.split("\n")) {
    file = /^([\w-]+\.ts)\(/.exec(line)?.[1] ?? file
    found.set(file, `${found.get(file) ?? ""}${line}\n`)
  }
  return found
}

const mistakes = Fs.readdirSync(folder).filter((file) => file.endsWith(".ts") && file !== "shared.ts")
let failed = 0

for (const version of [undefined, "6.0.3", "5.9.3"]) {
  const said = diagnose(compiler(version))
  const complaints = mistakes.flatMap((file) => {
    const wanted = /^\/\/ error: (.+)$/m.exec(Fs.readFileSync(Path.join(folder, file), "utf8"))?.[1] ?? "nothing"
    const text = said.get(file) ?? ""
    const isOne = text.split("\n").filter((line) => line.startsWith(file)).length === 1
    return text.includes(wanted) && isOne ? [] : [`${file}: expected one error with: ${wanted}\nsaid: ${text}`]
  })
  if (said.has("shared.ts")) complaints.push(`shared.ts: ${said.get("shared.ts")}`)
  failed += complaints.length
  console.log(
    `TypeScript ${version ?? "of this repository"}: ${mistakes.length} mistakes, ${complaints.length} not reported`
  )
  for (const complaint of complaints) console.log(complaint)
}
process.exitCode = failed === 0 ? 0 : 1
