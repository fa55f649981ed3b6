import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"

/**
 * Lowest first; a folder stands for all its modules. A module imports from lower rows, or from its own without cycles;
 * `import type` counts.
 */
const rows: ReadonlyArray<ReadonlyArray<string>> = [
  // what everybody speaks of: functions, what they may ask their runner, what crosses with a call, what can go wrong
  [
    "BootFailure",
    "Builtin",
    "CallHeaders",
    "CallSpan",
    "DefectCodec",
    "EncodePayload",
    "FlameError",
    "FlameErrorCodec",
    "FlameFunction",
    "FunctionCodec",
    "GroupClient",
    "GroupFunctions",
    "ItemCodec",
    "PlacedService",
    "Propagate",
    "Requirements",
    "RunnerExit",
    "SchemaCodec",
    "SchemaLayout",
    "SchemaProblems",
    "Servable",
    "Shutdown",
    "Varint",
    "runner/Current"
  ],
  // bytes
  ["wire/"],
  // one runner: how it comes to exist, and both ends of its link
  ["backend/", "kubernetes/", "runner/"],
  // many runners
  ["pool/"],
  // what an app calls, what it provides, what a runner is
  ["CallOptions", "Flame", "FlameLayer", "FlameRunner", "FlameService", "runMain"],
  // the doors
  ["backend", "index", "kubernetes", "runner"]
]

/**
 * What opening a thin door loads: our modules, and the modules of effect that they import. What effect loads by itself
 * is its own affair; `import()` is not counted, it is how a door stays thin.
 */
const loads: Readonly<
  Record<string, { readonly ours: ReadonlyArray<string>; readonly effect: ReadonlyArray<string> }>
> = {
  runner: {
    ours: [
      "BootFailure",
      "Builtin",
      "CallHeaders",
      "CallSpan",
      "DefectCodec",
      "EncodePayload",
      "FlameError",
      "FlameErrorCodec",
      "FlameRunner",
      "FunctionCodec",
      "ItemCodec",
      "Propagate",
      "Requirements",
      "RunnerExit",
      "SchemaCodec",
      "SchemaLayout",
      "SchemaProblems",
      "Shutdown",
      "Varint",
      "runMain",
      "runner/Answer",
      "runner/Build",
      "runner/CallExtras",
      "runner/CallerExtras",
      "runner/Current",
      "runner/LastWords",
      "runner/LogForward",
      "runner/NestedCalls",
      "runner/Outcome",
      "runner/RelayPool",
      "runner/Role",
      "runner/RunnerServer",
      "runner/Served",
      "runner/ServedCall",
      "runner/Serving",
      "runner/Steps",
      "runner/StreamServer",
      "wire/Channel",
      "wire/Flow",
      "wire/Frame",
      "wire/Handshake",
      "wire/Inbox",
      "wire/LargeBody",
      "wire/LateTransport",
      "wire/Link",
      "wire/LocalSocket",
      "wire/LogLine",
      "wire/NestedHead",
      "wire/OpenIds",
      "wire/Outbox",
      "wire/Request",
      "wire/Transport"
    ],
    effect: [
      "effect/Cause",
      "effect/Clock",
      "effect/Context",
      "effect/Deferred",
      "effect/Effect",
      "effect/Exit",
      "effect/Layer",
      "effect/LogLevel",
      "effect/Option",
      "effect/Predicate",
      "effect/Pull",
      "effect/References",
      "effect/Runtime",
      "effect/Schema",
      "effect/SchemaIssue",
      "effect/SchemaParser",
      "effect/Scope",
      "effect/Tracer",
      "effect/encoding/SchemaBinary"
    ]
  },
  Flame: {
    ours: [
      "BootFailure",
      "Builtin",
      "CallOptions",
      "FlameError",
      "FlameFunction",
      "FlameService",
      "PlacedService",
      "Propagate",
      "Requirements",
      "RunnerExit",
      "SchemaLayout",
      "Shutdown",
      "pool/CallTimes",
      "pool/Pool",
      "runMain",
      "runner/Current",
      "runner/Entry",
      "runner/LastWords",
      "runner/Role",
      "runner/Steps",
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
      "effect/Function",
      "effect/Layer",
      "effect/Predicate",
      "effect/Runtime",
      "effect/Schema",
      "effect/Scope",
      "effect/Stream"
    ]
  }
}

interface Import {
  /** A module of ours by its path in src, anything else as it is written. */
  readonly from: string
  readonly ours: boolean
  readonly kind: "type" | "static" | "dynamic" | "side effect"
}

const src = Path.join(import.meta.dirname, "../src")

const modules = Fs.readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.slice(0, -".ts".length).replaceAll(Path.sep, "/"))
  .toSorted()

// the formatter puts every statement at the start of a line
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
const rowOf = (module: string): number =>
  rows.findIndex((row) => row.includes(module) || row.includes(module.slice(0, module.indexOf("/") + 1)))
const isTesting = (module: string): boolean => module.startsWith("testing/")

/** What is reached from a module by the imports that `follow` allows. */
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
  const row = rowOf(module)
  const imports = graph.get(module) ?? []
  const those = (wrong: (to: Import) => boolean): ReadonlyArray<string> => imports.filter(wrong).map(({ from }) => from)

  it("imports downwards, or within its row without cycles", () => {
    assert.notStrictEqual(row, -1, `src/${module}.ts has no row: add it to the table in test/architecture.test.ts`)
    assert.deepStrictEqual(
      those(({ from }) => rowOf(from) > row),
      none,
      "imports upwards"
    )
    const reached = closure(module, ({ from }) => rowOf(from) === row)
    assert.notInclude(reached, module, `src/${module}.ts imports itself through others of its row`)
  })

  it("is ASCII but for its comments", () => {
    // one other character in a bundle makes each of it take two bytes, which is a millisecond or two of a runner's boot
    const lines = Fs.readFileSync(Path.join(src, `${module}.ts`), "utf8").split("\n")
    const isComment = (line: string): boolean => /^\s*(\*|\/[/*])/.test(line)
    assert.deepStrictEqual(
      lines.filter((line) => !isComment(line) && /[^\n -~]/.test(line)),
      none
    )
  })

  it("imports ours, effect by deep paths and Node, nothing of testing, nothing for a side effect", () => {
    // the client library costs 85 MiB: loaded when it is needed, by the backend that needs it
    const isLazyClient = ({ from, kind }: Import): boolean =>
      module.startsWith("kubernetes/") &&
      (kind === "type" || kind === "dynamic") &&
      /^@kubernetes\/client-node(\/dist\/[\w-]+\.js)?$/.test(from)
    assert.deepStrictEqual(
      those((to) =>
        to.ours
          ? isTesting(to.from) || to.kind === "side effect"
          : !/^(node:\w+(\/\w+)*|effect(\/[a-z-]+)?\/[A-Z]\w*)$/.test(to.from) && !isLazyClient(to)
      ),
      none
    )
  })
})

describe.each(Object.entries(loads).filter(([door]) => graph.has(door)))(
  "the door effect-flame/%s",
  (door, expected) => {
    it("loads these modules and no others", () => {
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
