/**
 * `npm run pack:check`: checks the tarball that `npm publish` would publish, with publint, with attw, and in an app that
 * installs the tarball: every door can be imported and type-checks, and no module behind the doors can be imported.
 */
import assert from "node:assert"
import { execFileSync, spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

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

/** A module of an app that exports values of inferred types. */
const library = `
  import * as Effect from "effect/Effect"
  import * as Schema from "effect/Schema"
  import * as Layer from "effect/Layer"
  import * as Stream from "effect/Stream"
  import { Rpc, RpcGroup } from "effect/rpc"
  import { Flame, FlameLayer, FlameRunner, Pool, Runner } from "effect-flame"

  export class Odd extends Schema.TaggedError<Odd>()("Odd", { n: Schema.Int }) {}
  export class Gpu extends Flame.PoolService<Gpu>()("app/Gpu") {}

  const contract = { payload: { n: Schema.Int }, success: Schema.Int, error: Odd }
  export const half = Flame.fn("half", contract, ({ n }) => n % 2 ? Effect.fail(new Odd({ n })) : Effect.succeed(n / 2))
  export const twice = Flame.contract("twice", { payload: { n: Schema.Int }, success: Schema.Int, pool: Gpu })
  export const twiceLive = Flame.implement(twice, ({ n }) => Effect.succeed(n * 2))
  export const calls = (n: number) => Effect.all([Flame.call(half, { n }), Flame.call(twice, { n })])
  export const accepted = Flame.cast(half, { n: 2 })
  export const leased = Pool.withRunner(Flame.call(half, { n: 2 }))
  export const leasedElsewhere = Gpu.withRunner(Flame.call(twice, { n: 2 }))
  export const here = FlameRunner.Current
  export const status = Effect.flatMap(Pool, (pool) => pool.status)
  export const flame = FlameLayer.auto()
  export const local = FlameLayer.local()
  export const gpu = Gpu.layer({ max: 2 })
  export const inMemory = FlameLayer.test([half, twiceLive])
  export const main = Flame.main({ functions: [half, twiceLive], app: calls(2), flame: FlameLayer.auto() })
  export const serve = FlameRunner.serve([half, twiceLive])
  export class Words extends RpcGroup.make(Rpc.make("add", { payload: { text: Schema.String } })) {}
  export const count = Flame.fn("count", { payload: { to: Schema.Int }, success: Schema.Int, stream: true }, ({ to }) => Stream.range(0, to))
  export const items = Flame.stream(count, { to: 1 })
  export const words = Flame.service("words", { group: Words, payload: { path: Schema.String } })
  export const wordsLive = Flame.implementService(words, () => Words.toLayer({ add: () => Effect.void }))
  export const placed = Flame.place(words, { path: "x" })
  export const client = Flame.client(Words)
  export const events = Stream.unwrap(Effect.map(Pool, (pool) => pool.events))
  export const ofGpu = Flame.forPool(Gpu, { functions: [twiceLive, wordsLive] })
  export const stub = Flame.stub(twice, ({ n }) => Effect.succeed(n))
  export const mocked = FlameLayer.mock([stub, wordsLive, count])
  export const role = Flame.role
  export const currentRole = Flame.CurrentRole
  export const where = Effect.map(Runner, ({ labels }) => labels)
  export const both = Gpu.layer({ max: 1 }).pipe(Layer.provideMerge(FlameLayer.auto()))
  export const handled = Flame.call(half, { n: 1 }).pipe(
    Effect.catchReason("FlameError", "QueueFull", () => Effect.succeed(1))
  )
`

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

try {
  const tarball = pack()
  run(root, "publint", "run", tarball, "--strict")
  run(root, "attw", tarball, "--profile", "esm-only")
  const doors = install(tarball)
  checkDoors(doors)
  checkTypes(doors)
  checkProgram()
  console.log(`${doors.join(", ")}: can be imported and type-check from outside; no other module can be imported`)
} finally {
  Fs.rmSync(work, { recursive: true, force: true })
}
