import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"

/**
 * The folders of src, lowest first. A module imports from folders above its own in this list, or from its own folder
 * without cycles; `import type` counts. So no two folders import each other.
 */
const folders: ReadonlyArray<string> = [
  // Errors, schemas, functions: the vocabulary of all other folders.
  "time",
  "error",
  "schema/bound",
  "schema",
  "function",
  // Bytes between one parent and one runner.
  "wire",
  "wire/network",
  // Both halves of one call.
  "call",
  "call/peer",
  // The inside of a runner, and how a process learns that it is a runner.
  "runner",
  "process",
  // The code that a parent sends to its runners, and the program that receives the code.
  "code",
  "code/snapshot",
  "code/bootstrap",
  // How runners come to exist.
  "backend",
  "kubernetes/manifest",
  "kubernetes/object",
  "kubernetes/api",
  "kubernetes/template",
  "kubernetes/verdict",
  "kubernetes/watch",
  "kubernetes/hub",
  "kubernetes",
  // Many runners.
  "pool/policy",
  "pool/option",
  "pool/status",
  "pool/engine",
  "pool/life",
  "pool/runtime",
  "pool",
  // How an app shows its pools.
  "status/record",
  "status",
  // The doors, and the modules that an app calls.
  "src",
  // The program `effect-flame`, which no door loads.
  "cli/cluster",
  "cli/status",
  "cli/manifests",
  "cli/doctor",
  "cli/screen",
  "cli"
]

/** Folders of pure functions. Their modules import from their own folder and nothing else, not even Effect. */
const pure: ReadonlySet<string> = new Set(["pool/policy"])

/** Limits on the number of files, so that a folder can be read at a glance. */
const filesAtMost = (folder: string): number => (folder === "src" ? 12 : 20)

/**
 * The modules that a thin door loads: ours, and the modules of effect that they import. Modules that effect loads by
 * itself are not listed. `import()` is not counted, because a door stays thin by it.
 */
const loads: Readonly<
  Record<string, { readonly ours: ReadonlyArray<string>; readonly effect: ReadonlyArray<string> }>
> = {
  runner: {
    ours: [
      "FlameRunner",
      "call/Answer",
      "call/DefectOrigin",
      "call/ExtrasReceived",
      "call/ExtrasSent",
      "call/Outcome",
      "call/Refusal",
      "call/Served",
      "call/ServedRequest",
      "call/StopWaiters",
      "call/StreamServer",
      "error/BootFailure",
      "error/CodeFailure",
      "error/FlameError",
      "error/NotStarted",
      "error/PeerText",
      "error/PodFailure",
      "error/ProcessFailure",
      "error/RunnerExit",
      "error/ServicesFailed",
      "error/Unhandled",
      "function/Builtin",
      "function/CallHeaders",
      "function/CallSpan",
      "function/Current",
      "function/DefectCodec",
      "function/FlameErrorCodec",
      "function/FunctionCodec",
      "function/Propagate",
      "function/Requirements",
      "process/BuildName",
      "process/HandedSession",
      "process/Role",
      "process/RoleVariables",
      "process/Shutdown",
      "process/SnapshotStart",
      "process/Steps",
      "process/UnsentLogs",
      "runMain",
      "runner/LogForward",
      "runner/MetricForward",
      "runner/NestedCalls",
      "runner/NestedRoom",
      "runner/NestedSpan",
      "runner/QuietOutput",
      "runner/RelayPool",
      "runner/RunnerServer",
      "runner/RunnerServerOptions",
      "runner/ServedCall",
      "runner/Serving",
      "runner/SessionPhase",
      "schema/ByteReader",
      "schema/ByteWriter",
      "schema/Data",
      "schema/ItemCodec",
      "schema/LayoutWords",
      "schema/LeafCoders",
      "schema/ObjectCoders",
      "schema/OwnBytes",
      "schema/SchemaCodec",
      "schema/SchemaLayout",
      "schema/SchemaProblems",
      "schema/SchemaTraits",
      "schema/SharedTexts",
      "schema/StructCode",
      "schema/UnionMembers",
      "schema/ValueCoder",
      "schema/Varint",
      "schema/WireSchema",
      "schema/bound/HashWork",
      "schema/bound/KeptNames",
      "schema/bound/TemplateText",
      "schema/bound/ValueCycles",
      "schema/bound/ValueLimits",
      "schema/bound/ValueWork",
      "wire/Annotations",
      "wire/Channel",
      "wire/Frame",
      "wire/FrameParser",
      "wire/Handshake",
      "wire/Inbox",
      "wire/LateTransport",
      "wire/Link",
      "wire/LocalSocket",
      "wire/LogLine",
      "wire/NestedHead",
      "wire/OpenIds",
      "wire/Outbox",
      "wire/Outgoing",
      "wire/Request",
      "wire/Transport"
    ],
    effect: [
      "effect/Cause",
      "effect/Clock",
      "effect/Context",
      "effect/DateTime",
      "effect/Deferred",
      "effect/Effect",
      "effect/Exit",
      "effect/Fiber",
      "effect/Hash",
      "effect/Layer",
      "effect/LogLevel",
      "effect/Option",
      "effect/Predicate",
      "effect/Pull",
      "effect/References",
      "effect/Runtime",
      "effect/Schema",
      "effect/SchemaAST",
      "effect/SchemaIssue",
      "effect/SchemaParser",
      "effect/SchemaTransformation",
      "effect/Scope",
      "effect/Tracer"
    ]
  },
  Flame: {
    ours: [
      "CallOptions",
      "FlameMain",
      "FlameService",
      "error/BootFailure",
      "error/CodeFailure",
      "error/FlameError",
      "error/NotStarted",
      "error/PeerText",
      "error/PodFailure",
      "error/ProcessFailure",
      "error/RunnerExit",
      "error/ServicesFailed",
      "function/Builtin",
      "function/Current",
      "function/FlameFunction",
      "function/PlacedService",
      "function/Propagate",
      "function/Requirements",
      "function/Stub",
      "pool/Pool",
      "pool/status/CallTimes",
      "process/AppRole",
      "process/BuildName",
      "process/Entry",
      "process/HandedSession",
      "process/Role",
      "process/RoleVariables",
      "process/Shutdown",
      "process/SnapshotStart",
      "process/Steps",
      "process/UnsentLogs",
      "runMain",
      "schema/SchemaLayout",
      "wire/Frame",
      "wire/LateTransport",
      "wire/LocalSocket",
      "wire/Transport"
    ],
    effect: [
      "effect/Cause",
      "effect/Channel",
      "effect/Context",
      "effect/Duration",
      "effect/Effect",
      "effect/Exit",
      "effect/Fiber",
      "effect/Function",
      "effect/Layer",
      "effect/Predicate",
      "effect/Runtime",
      "effect/Schema",
      "effect/SchemaAST",
      "effect/Scope",
      "effect/Stream"
    ]
  }
}

interface Import {
  /** The path of a module of ours in src. Other modules as they are written in the import. */
  readonly from: string
  readonly ours: boolean
  readonly kind: "type" | "static" | "dynamic" | "side effect"
}

const src = Path.join(import.meta.dirname, "../src")

const modules = Fs.readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -".ts".length).replaceAll(Path.sep, "/"))
  .toSorted()

// The formatter puts every statement at the start of a line.
const statement =
  /^(?:import|export)(?<type> type)? (?:\* as \w+|\*|\w+|(?:\w+, )?\{[^}]*\}) from "(?<from>[^"]+)"|^import "(?<bare>[^"]+)"|\bimport\("(?<lazy>[^"]+)"\)/gm

const importsOf = (module: string): ReadonlyArray<Import> => {
  const source = Fs.readFileSync(Path.join(src, `${module}.ts`), "utf8")
  const statements = [...source.matchAll(statement)]
  const understood = statements.filter(([text]) => /^import\b[^(]/.test(text)).length
  assert.strictEqual(
    understood,
    source.match(/^import\b[^(]/gm)?.length ?? 0,
    `an import of src/${module}.ts is written in a way that this test cannot read`
  )
  return statements.map(({ groups = {} }) => {
    const { bare, lazy, type } = groups
    const written = groups.from ?? bare ?? lazy ?? ""
    const ours = written.startsWith(".")
    return {
      from: ours ? Path.posix.join(Path.posix.dirname(module), written).replace(/\.ts$/, "") : written,
      ours,
      kind: lazy !== undefined ? "dynamic" : bare !== undefined ? "side effect" : type !== undefined ? "type" : "static"
    }
  })
}

const graph = new Map(modules.map((module) => [module, importsOf(module)]))
const isTesting = (module: string): boolean => module.startsWith("testing/")

/** The folder of a module: "pool/engine", or "src" for the doors. */
const folderOf = (module: string): string => (module.includes("/") ? Path.posix.dirname(module) : "src")
const rank = (module: string): number => folders.indexOf(folderOf(module))

/** All modules that are reached from a module by the imports that `follow` allows. */
const closure = (module: string, follow: (to: Import) => boolean): ReadonlyArray<string> => {
  const seen = new Set<string>()
  const visit = (current: string): void => {
    for (const to of graph.get(current) ?? []) {
      if (!follow(to) || seen.has(to.from)) continue
      seen.add(to.from)
      visit(to.from)
    }
  }
  visit(module)
  return [...seen].toSorted()
}

const none: ReadonlyArray<string> = []

describe.each(modules.filter((module) => !isTesting(module)))("src/%s.ts", (module) => {
  const folder = folderOf(module)
  const imports = graph.get(module) ?? []
  const those = (wrong: (to: Import) => boolean): ReadonlyArray<string> => imports.filter(wrong).map(({ from }) => from)

  it("imports from folders below its own, or from its own without cycles", () => {
    assert.include(folders, folder, `src/${folder} is not in the list of test/architecture.test.ts`)
    assert.deepStrictEqual(
      those(({ from, ours }) => ours && !isTesting(from) && rank(from) > rank(module)),
      none,
      "imports upwards"
    )
    const reached = closure(module, ({ from, ours }) => ours && folderOf(from) === folder)
    assert.notInclude(reached, module, `src/${module}.ts imports itself through others of its folder`)
  })

  it("is ASCII except in comments", () => {
    // With one other character V8 stores a bundle in two bytes per character, which costs a boot of a runner 1 to 2 ms.
    const lines = Fs.readFileSync(Path.join(src, `${module}.ts`), "utf8").split("\n")
    const isComment = (line: string): boolean => /^\s*(\*|\/[/*])/.test(line)
    assert.deepStrictEqual(
      lines.filter((line) => !isComment(line) && /[^\n -~]/.test(line)),
      none
    )
  })

  it("imports our modules, effect by deep paths and Node, nothing of testing, and nothing for a side effect only", () => {
    assert.deepStrictEqual(
      those((to) =>
        to.ours
          ? isTesting(to.from) || to.kind === "side effect"
          : !/^(node:\w+(\/\w+)*|effect(\/[a-z-]+)?\/[A-Z]\w*)$/.test(to.from) &&
            // The program bundles these packages.
            !(module === "cli/main" && /^@effect\/platform-node\/[A-Z]\w*$/.test(to.from))
      ),
      none
    )
  })
})

describe.each(modules.filter((module) => pure.has(folderOf(module))))("src/%s.ts", (module) => {
  it("imports nothing from outside its folder", () => {
    const outside = (graph.get(module) ?? []).filter(({ from, ours }) => !ours || folderOf(from) !== folderOf(module))
    assert.deepStrictEqual(
      outside.map(({ from }) => from),
      none
    )
  })
})

describe.each(folders)("the folder %s", (folder) => {
  const inside = modules.filter((module) => folderOf(module) === folder)

  it("has files, and no more than fit on one screen", () => {
    assert.isAtLeast(inside.length, 1)
    assert.isAtMost(inside.length, filesAtMost(folder))
  })
})

it.each(["pool", "kubernetes"])("at least half of the imports within %s stay inside a sub-folder", (top) => {
  const inside = modules.filter((module) => module.startsWith(`${top}/`))
  const imports = inside.flatMap((module) =>
    (graph.get(module) ?? []).filter(({ from }) => from.startsWith(`${top}/`)).map(({ from }) => ({ module, from }))
  )
  const stay = imports.filter(({ from, module }) => folderOf(from) === folderOf(module))
  assert.isAtLeast(stay.length / imports.length, 0.5)
})

describe("a test of a module", () => {
  const test = import.meta.dirname
  const suites =
    /^(architecture|docs|language|loads)\.test\.ts$|^(browser|cluster|conformance|fixtures|hostile|simulation|soak|stack|types|values)\/|\/kit\//
  const tests = Fs.readdirSync(test, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll(Path.sep, "/"))
    .filter((file) => file.endsWith(".test.ts") && !suites.test(file))

  it.each(tests)("%s is named after its module, and is in the mirrored folder", (file) => {
    // Module.test.ts, or Module.topic.test.ts if the tests of a module are split by topic.
    assert.include(modules, file.replace(/(\.[a-z]+)?\.test\.ts$/, ""))
  })
})

describe.each(Object.entries(loads).filter(([door]) => graph.has(door)))(
  "the door effect-flame/%s",
  (door, expected) => {
    it("loads exactly the listed modules", () => {
      const loaded = closure(door, ({ kind }) => kind === "static")
      assert.deepStrictEqual(
        {
          ours: loaded.filter((from) => graph.has(from)),
          effect: loaded.filter((from) => from.startsWith("effect"))
        },
        expected
      )
    })
  }
)
