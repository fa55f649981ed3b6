/**
 * `npm run pack:check`: checks the tarball that `npm publish` would publish, with publint, with attw, and in an app that
 * installs the tarball: every door can be imported and type-checks, and no module behind the doors can be imported.
 */
import { strict as assert } from "node:assert"
import { execFileSync, spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { rolldown } from "rolldown"
import { files, limit } from "./matrix/Bundle.ts"
import { library } from "./matrix/Library.ts"

const root = Path.join(import.meta.dirname, "..")
const work = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-flame-pack-"))
const app = Path.join(work, "app")
const installed = Path.join(app, "node_modules/effect-flame")

const run = (cwd: string, command: string, ...args: ReadonlyArray<string>): void => {
  execFileSync(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"] })
}

const pack = (): string => {
  // --ignore-scripts: `npm run pack:check` has built dist already
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", work]
  const [packed] = JSON.parse(
    execFileSync("npm", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
  )
  console.log(`${packed.filename}: ${packed.entryCount} files, ${packed.size} bytes packed`)
  return Path.join(work, packed.filename)
}

/** An empty app that installs the tarball by npm, as a user does: the package, its peer, the types of Node, nothing else. */
const install = (tarball: string): ReadonlyArray<string> => {
  Fs.mkdirSync(app)
  Fs.writeFileSync(Path.join(app, "package.json"), JSON.stringify({ private: true, type: "module" }))
  const versionOf = (name: string): string =>
    JSON.parse(Fs.readFileSync(Path.join(root, "node_modules", name, "package.json"), "utf8")).version
  const packages = [tarball, ...["effect", "@types/node"].map((name) => `${name}@${versionOf(name)}`)]
  run(app, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", ...packages)
  const manifest = JSON.parse(Fs.readFileSync(Path.join(installed, "package.json"), "utf8"))
  return Object.keys(manifest.exports)
    .filter((door) => door !== "./package.json")
    .map((door) => Path.posix.join("effect-flame", door))
}

/** Paths by which an app might try to import the modules that are no doors. */
const hidden = (doors: ReadonlyArray<string>): ReadonlyArray<string> =>
  Fs.readdirSync(Path.join(installed, "dist"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".js"))
    .flatMap((file) => [`effect-flame/dist/${file}`, `effect-flame/${file.slice(0, -3)}`])
    .filter((path) => !doors.includes(path))

const checkDoors = (doors: ReadonlyArray<string>): void => {
  const program = `
    import assert from "node:assert"
    for (const door of ${JSON.stringify(doors)}) assert(Object.keys(await import(door)).length > 0, door + " exports nothing")
    for (const path of ${JSON.stringify(hidden(doors))}) {
      await assert.rejects(import(path), { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" }, path + " can be imported")
    }`
  Fs.writeFileSync(Path.join(app, "doors.mjs"), program)
  run(app, "node", "doors.mjs")
}

const checkTypes = (doors: ReadonlyArray<string>): void => {
  const compilerOptions = {
    module: "NodeNext",
    target: "ES2024",
    // The declarations of effect name types of the DOM.
    lib: ["ES2024", "DOM"],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    // An app can only export an inferred type whose name a door exports.
    declaration: true,
    emitDeclarationOnly: true,
    outDir: "types",
    types: ["node"]
  }
  const program = doors.map((door, i) => `import * as door${i} from "${door}"\nvoid door${i}\n`).join("")
  Fs.writeFileSync(Path.join(app, "doors.ts"), program)
  Fs.writeFileSync(Path.join(app, "library.ts"), library)
  const files = ["doors.ts", "library.ts"]
  Fs.writeFileSync(Path.join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files }))
  run(app, "tsc")
}

/** The program runs where nothing but the package and its peer is installed. */
const checkProgram = (): void => {
  const program = Path.join(app, "node_modules/.bin/effect-flame")
  const asked = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = {}) =>
    spawnSync(program, args, { cwd: app, encoding: "utf8", env: { PATH: process.env["PATH"], HOME: app, ...env } })
  const { version } = JSON.parse(Fs.readFileSync(Path.join(installed, "package.json"), "utf8"))
  assert(asked(["--version"]).stdout.includes(version), "effect-flame --version prints the version")
  const manifests = asked(["manifests", "--app", "shop", "-n", "shop"])
  assert(manifests.status === 0 && manifests.stdout.includes("kind: Role"), manifests.stderr)
  assert(asked(["manifests", "--ap", "shop"]).status === 2, "a wrong command line ends with status 2")
  const kubeconfig = Path.join(app, "kubeconfig")
  Fs.writeFileSync(kubeconfig, "{}")
  const doctor = asked(["doctor"], { KUBECONFIG: kubeconfig })
  assert(doctor.status === 1 && doctor.stdout.includes("npm install @kubernetes/client-node"), doctor.stdout)
}

/** Relative links of the documents in the tarball lead to files, and to headings, of the tarball [C462]. */
const checkLinks = (): void => {
  const pages = Fs.readdirSync(installed, { recursive: true, encoding: "utf8" }).filter((file) =>
    /^(?!node_modules).*(\.md|llms\.txt)$/.test(file)
  )
  const anchors = (page: string): ReadonlyArray<string> =>
    [...Fs.readFileSync(page, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, "")
        .replaceAll(" ", "-")
    )
  const dangling = pages.flatMap((page) =>
    [
      ...Fs.readFileSync(Path.join(installed, page), "utf8").matchAll(/\]\((?![a-z]+:)([^)#\s]*)#?([^)\s]*)\)/g)
    ].flatMap(([link, path = "", anchor = ""]) => {
      const target = Path.join(installed, path === "" ? page : Path.join(Path.dirname(page), path))
      const leads = Fs.existsSync(target) && (anchor === "" || anchors(target).includes(anchor))
      return leads ? [] : [`${page}: ${link}`]
    })
  )
  assert.deepEqual(dangling, [], "links of documents that lead nowhere in the tarball")
}

/** The fast part of `npm run pack:matrix bundlers`: a first program in one file is small, runs, and loads no TLS at its start. */
const checkBundle = async (): Promise<void> => {
  for (const [file, text] of Object.entries(files)) Fs.writeFileSync(Path.join(app, file), text)
  const bundle = await rolldown({ input: Path.join(app, "main.mjs"), platform: "node" })
  await bundle.write({ file: Path.join(work, "app.mjs"), codeSplitting: false })
  const text = Fs.readFileSync(Path.join(work, "app.mjs"), "utf8")
  assert.ok(text.length < limit, `a one-file bundle has ${text.length} bytes, the limit is ${limit}`)
  assert.doesNotMatch(text, /^import .* from "node:(tls|https?)"/m, "a bundle loads TLS and HTTP at its start")
  const said = execFileSync("node", ["app.mjs"], { cwd: work, encoding: "utf8" })
  assert.match(said, /"cpu":/)
  console.log(`a one-file bundle of an app has ${text.length} bytes and runs`)
}

try {
  const tarball = pack()
  run(root, "publint", "run", tarball, "--strict")
  run(root, "attw", tarball, "--profile", "esm-only")
  const doors = install(tarball)
  checkDoors(doors)
  checkTypes(doors)
  checkLinks()
  checkProgram()
  await checkBundle()
  console.log(`${doors.join(", ")}: can be imported and type-check from outside; no other module can be imported`)
} finally {
  Fs.rmSync(work, { recursive: true, force: true })
}
