/** The tarball under every package manager: it installs, and a program makes a call to a child process. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { execFileSync } from "node:child_process"
import * as App from "./App.ts"
import { cell, program, run } from "./Tool.ts"

const main = `
import { Effect, Schema } from "effect"
import { Flame, FlameLayer } from "effect-flame"

const square = Flame.fn("square", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) => Effect.succeed(n * n))
const app = Effect.flatMap(Flame.call(square, { n: 5 }), (n) => Effect.sync(() => console.log("gave " + n)))
Flame.main({ functions: [square], app, flame: FlameLayer.auto({ max: 1 }) }).pipe(Flame.runMain)
`

interface Manager {
  readonly name: string
  readonly package: string
  readonly program: string
  /** Arguments that install packages. */
  readonly add: ReadonlyArray<string>
  readonly files?: Readonly<Record<string, string>>
  /** Arguments that run Node with what was installed. Default: Node itself. */
  readonly node?: ReadonlyArray<string>
}

const registry = execFileSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).trim()
const yarnrc = (linker: string): string =>
  [
    `nodeLinker: ${linker}`,
    "enableTelemetry: false",
    "enableImmutableInstalls: false",
    `npmRegistryServer: ${JSON.stringify(registry.replace(/\/$/, ""))}`,
    `unsafeHttpWhitelist: [${JSON.stringify(new URL(registry).hostname)}]`,
    "npmMinimalAgeGate: 0"
  ].join("\n")

const managers: ReadonlyArray<Manager> = [
  { name: "npm", package: "npm@11", program: "npm", add: ["install", "--no-audit", "--no-fund"] },
  { name: "pnpm", package: "pnpm@10", program: "pnpm", add: ["add"] },
  {
    name: "yarn, node-modules",
    package: "@yarnpkg/cli-dist@4",
    program: "yarn",
    add: ["add"],
    files: { ".yarnrc.yml": yarnrc("node-modules"), "yarn.lock": "" }
  },
  {
    name: "yarn, PnP",
    package: "@yarnpkg/cli-dist@4",
    program: "yarn",
    add: ["add"],
    files: { ".yarnrc.yml": yarnrc("pnp"), "yarn.lock": "" },
    node: ["node"]
  },
  { name: "bun", package: "bun@1", program: "bun", add: ["add"] }
]

/** Tries each package manager. */
export const check = (): void => {
  const packed = App.tarball()
  for (const manager of managers) {
    const cwd = App.app("manager", { "main.mjs": main, ...manager.files })
    const tool = program(manager.package, manager.program)
    const installed = run(cwd, tool, [...manager.add, packed, ...App.packages()], { npm_config_registry: registry })
    if (!installed.ok) cell(manager.name, installed)
    else {
      const said =
        manager.node === undefined
          ? run(cwd, process.execPath, ["main.mjs"])
          : run(cwd, tool, [...manager.node, "main.mjs"])
      const ok = said.ok && said.text.includes("gave 25")
      const count = Fs.existsSync(Path.join(cwd, "node_modules")) ? "" : "without node_modules"
      cell(manager.name, { ok, text: said.text }, count)
    }
  }
}
