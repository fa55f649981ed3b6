import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import { Backend } from "../../src/backend/Backend.ts"
import * as ProcessBackend from "../../src/backend/ProcessBackend.ts"
import {
  EntryMissing,
  InvalidSpec,
  isTransient,
  LaunchFailed,
  NotARunner,
  ProcessExited
} from "../../src/error/BootFailure.ts"
import { Exited, Killed, OutOfMemory } from "../../src/error/RunnerExit.ts"
import { fail } from "../../src/wire/Frame.ts"
import { capture, fixture, launch, spec, withProbe, withProgram } from "../fixtures/process/kit.ts"
import { alive, children, processes, until } from "../fixtures/process/processes.ts"

/** The end of a runner whose program ends before it serves, and the failure of its boot. */
const boot = (options: ProcessBackend.ProcessBackendOptions) =>
  Effect.gen(function* () {
    const { runner } = yield* launch()
    const exit = yield* runner.exit
    return { exit, failure: runner.bootFailure(exit) }
  }).pipe(Effect.scoped, Effect.provide(ProcessBackend.layer(options)), Effect.timeout("1 minute"))

const bootOf = (source: string) => withProgram(source, (entry) => boot({ entry }))

describe("ProcessBackend", () => {
  describe("a runner of ProcessBackend", () => {
    it.live("runs the entry on the same Node, and talks over the inherited socketpair", () =>
      Effect.gen(function* () {
        const { pid, runner, said } = yield* launch()
        const facts = JSON.parse(yield* said(0))
        assert.strictEqual(facts.pid, pid)
        assert.deepStrictEqual(facts.argv, [fixture("probe.ts").pathname])
        assert.strictEqual(facts.cwd, process.cwd())
        assert.deepStrictEqual(yield* Stream.runCollect(runner.phases), [{ name: "started", detail: `pid ${pid}` }])
      }).pipe(withProbe)
    )

    it.live("has the parent's Node options and environment, and no variables of its role", () =>
      Effect.gen(function* () {
        const { said } = yield* launch()
        const { env, execArgv } = JSON.parse(yield* said(0))
        // The options of this test's own process, in whatever pool of vitest it runs.
        assert.deepStrictEqual(execArgv, [...process.execArgv, "--no-warnings"])
        assert.strictEqual(env.PATH, process.env.PATH)
        assert.strictEqual(env.EXTRA, "1")
        assert.notProperty(env, "VITEST")
        assert.deepStrictEqual(
          Object.keys(env).filter((name) => name.startsWith("FLAME_RUNNER_")),
          []
        )
      }).pipe((_) => withProbe(_, { execArgv: ["--no-warnings"], env: { EXTRA: "1", VITEST: undefined } }))
    )

    it.live("accepts its entry as a URL, as the text of a URL, and as a path", () =>
      Effect.forEach(
        [fixture("probe.ts"), fixture("probe.ts").href, fixture("probe.ts").pathname, "test/fixtures/process/probe.ts"],
        (entry) => Effect.flatMap(launch(), ({ said }) => said(0)).pipe((_) => withProbe(_, { entry }))
      )
    )

    it.live("runs in the directory of the option cwd", () =>
      Effect.gen(function* () {
        const { said } = yield* launch()
        assert.strictEqual(JSON.parse(yield* said(0)).cwd, "/")
      }).pipe((_) => withProbe(_, { cwd: "/" }))
    )

    it.live("[C52] that lives and never connects does not end by itself, and leaves nothing when it is given up", () =>
      withProgram("setInterval(() => {}, 1e9)", (entry) =>
        Effect.gen(function* () {
          const before = children()
          const pid = yield* Effect.gen(function* () {
            const { pid, runner } = yield* launch()
            const exit = yield* Effect.forkChild(runner.exit, { startImmediately: true })
            assert.deepStrictEqual(alive([pid]), [pid])
            assert.isUndefined(exit.pollUnsafe())
            return pid
          }).pipe(Effect.scoped, Effect.provide(ProcessBackend.layer({ entry })))
          assert.deepStrictEqual(alive([pid]), [])
          assert.deepStrictEqual(children(), before)
        })
      )
    )
  })

  it.live.each<readonly [Readonly<Record<string, unknown>>, string]>([
    [{ killGrace: "12 parsecs" }, "the option killGrace is not a duration: 12 parsecs"],
    [{ killGrace: NaN }, "the option killGrace is not a duration: NaN"],
    [{ killGrace: "-1 second" }, "the option killGrace must not be negative: -1 second"],
    [
      { outputLevel: "Loud" },
      "the option outputLevel must be one of Fatal, Error, Warn, Info, Debug, Trace, it is Loud"
    ]
  ])("refuses %j where it is made, by name", ([options, message]) =>
    Effect.gen(function* () {
      const before = children()
      const exit = yield* Effect.exit(Effect.scoped(ProcessBackend.make({ entry: fixture("probe.ts"), ...options })))
      assert.deepStrictEqual(exit, Exit.die(new TypeError(message)))
      assert.deepStrictEqual(children(), before)
    })
  )

  describe("a failed boot of ProcessBackend", () => {
    it.live("names an entry that does not exist, before a process is started", () =>
      Effect.gen(function* () {
        const failure: unknown = yield* Effect.flip(boot({ entry: fixture("missing.ts") }))
        assert.instanceOf(failure, EntryMissing)
        assert.strictEqual(failure.entry, fixture("missing.ts").pathname)
        assert.strictEqual((yield* Effect.flip(boot({ entry: fixture(".") })))._tag, "EntryMissing")
      })
    )

    it.live("names an entry that is not a file, and a directory that does not exist", () =>
      Effect.gen(function* () {
        for (const entry of [new URL("https://example.org/runner.js"), "https://example.org/runner.js", "data:,1"]) {
          assert.deepStrictEqual(
            yield* Effect.flip(boot({ entry })),
            new InvalidSpec({ detail: `its entry ${String(entry)} is not a file` })
          )
        }
        assert.deepStrictEqual(
          yield* Effect.flip(boot({ entry: fixture("probe.ts"), cwd: "/does/not/exist" })),
          new InvalidSpec({ detail: "its directory /does/not/exist does not exist" })
        )
      })
    )

    it.live("quotes the system's error when no process starts, and knows whether the cause can heal [C104]", () =>
      Effect.gen(function* () {
        const { execPath } = process
        const failure = yield* Effect.acquireUseRelease(
          Effect.sync(() => {
            process.execPath = "/does/not/exist/node"
          }),
          () => Effect.flip(boot({ entry: fixture("probe.ts") })),
          () =>
            Effect.sync(() => {
              process.execPath = execPath
            })
        )
        assert.deepStrictEqual(
          failure,
          new LaunchFailed({ detail: "spawn /does/not/exist/node ENOENT", permanent: true })
        )
        const large = { LARGE: "x".repeat(4 * 1024 * 1024) }
        const refused: unknown = yield* Effect.flip(boot({ entry: fixture("probe.ts"), env: large }))
        assert.deepStrictEqual(refused, new LaunchFailed({ detail: "spawn E2BIG", permanent: true }))
        const nul: unknown = yield* Effect.flip(boot({ entry: fixture("probe.ts"), env: { NUL: "a\0b" } }))
        assert.instanceOf(nul, LaunchFailed)
        assert.isFalse(isTransient(nul))
        assert.isTrue(isTransient(new LaunchFailed({ detail: "" })))
      })
    )

    it.live.each<readonly [string, string, number, RegExp]>([
      ["a syntax error", "const = 1", 1, /SyntaxError: Unexpected token '='/],
      ["a missing module", "import './does-not-exist.mjs'", 1, /ERR_MODULE_NOT_FOUND/],
      [
        "a throw at import",
        "throw new Error('the database has no name')",
        1,
        /Error: the database has no name\n\s+at /
      ],
      ["a rejection at import", "await Promise.reject(new Error('no such host'))", 1, /Error: no such host/],
      ["an exit code", "console.error('configuration is missing'); process.exit(7)", 7, /^configuration is missing$/]
    ])("tells %s with the end of its stderr, at once", ([, source, code, stderr]) =>
      Effect.gen(function* () {
        const { exit, failure } = yield* bootOf(source)
        assert.instanceOf(failure, ProcessExited)
        assert.strictEqual(failure.code, code)
        assert.match(failure.stderr, stderr)
        assert.isFalse(isTransient(failure))
        assert.deepStrictEqual(exit, { reason: new Exited({ code, stderr: failure.stderr }), gone: true })
      }).pipe(Effect.timeout("30 seconds"))
    )

    it.live("of a program that ends without serving says what to do", () =>
      Effect.gen(function* () {
        const { failure } = yield* bootOf("console.error('nothing to do')")
        assert.instanceOf(failure, NotARunner)
        assert.match(
          failure.message,
          /^its entry .*runner\.mjs ended without serving: call Flame\.main or FlameRunner\.serve there, run by Flame\.runMain:\n {2}nothing to do$/
        )
        assert.isFalse(isTransient(failure))
      })
    )

    it.live("by a signal may pass, and is retried", () =>
      Effect.gen(function* () {
        const { exit, failure } = yield* bootOf("console.error('hm'); process.kill(process.pid, 'SIGSEGV')")
        assert.deepStrictEqual(exit.reason, new Killed({ signal: "SIGSEGV" }))
        assert.deepStrictEqual(failure, new ProcessExited({ code: null, signal: "SIGSEGV", stderr: "hm" }))
        assert.isTrue(isTransient(failure))
      })
    )

    it.live("[C65] of a program that must not be a runner is reported at once and is not retried", () =>
      Effect.gen(function* () {
        const { lines, layer } = capture()
        const [frame, exit] = yield* Effect.gen(function* () {
          const runner = yield* (yield* ProcessBackend.make({ entry: fixture("refuses.ts") })).launch(spec)
          const transport = yield* runner.connection
          const bytes: Array<Uint8Array> = []
          yield* Effect.callback<void>((resume) =>
            transport.start({
              data: (chunk) => bytes.push(Buffer.from(chunk)),
              drained: () => {},
              closed: () => resume(Effect.void)
            })
          )
          return [Buffer.concat(bytes), yield* runner.exit] as const
        }).pipe(Effect.scoped, Effect.provide(layer))
        const detail = "this program builds a FlameLayer although it was started as a runner"
        assert.deepStrictEqual(frame, Buffer.from(fail(new NotARunner({ detail }))))
        assert.deepStrictEqual(exit.reason, new Exited({ code: 1, stderr: `effect-flame: ${detail}` }))
        assert.deepStrictEqual(
          lines.map(({ line }) => line),
          [`effect-flame: ${detail}`]
        )
      })
    )
  })

  describe("the end of a runner process", () => {
    it.live("by a signal from outside is reported as that signal", () =>
      Effect.gen(function* () {
        const { pid, runner, said } = yield* launch()
        yield* said(0)
        process.kill(pid, "SIGKILL")
        assert.deepStrictEqual(yield* runner.exit, { reason: new Killed({ signal: "SIGKILL" }), gone: true })
        // Every waiter gets the same answer, also a waiter that comes after the end.
        assert.deepStrictEqual(yield* runner.exit, { reason: new Killed({ signal: "SIGKILL" }), gone: true })
      }).pipe(withProbe)
    )

    it.live("by `kill` says who did it, also in a blocked loop", () =>
      Effect.gen(function* () {
        const { runner, said, tell } = yield* launch()
        yield* said(0)
        tell("block")
        yield* runner.kill("stuck call render")
        const exit = yield* runner.exit
        assert.deepStrictEqual(exit.reason, new Killed({ signal: "SIGKILL", by: "stuck call render" }))
        yield* runner.kill("again")
        assert.deepStrictEqual(yield* runner.exit, exit)
      }).pipe(withProbe)
    )

    it.live("by itself is reported with the end of its output, complete and in order", () =>
      Effect.gen(function* () {
        const { runner, said, tell } = yield* launch()
        yield* said(0)
        tell(`err ${Array.from({ length: 500 }, (_, i) => `line ${i}\\n`).join("")}`)
        tell("exit 3")
        const exit = yield* runner.exit
        const last = Array.from({ length: 20 }, (_, i) => `line ${480 + i}`).join("\n")
        assert.deepStrictEqual(exit.reason, new Exited({ code: 3, stderr: last }))
      }).pipe(withProbe)
    )

    it.live("does not wait for processes that the runner has started", () =>
      Effect.gen(function* () {
        const { runner, said, tell } = yield* launch()
        tell("leave")
        const left = Number(yield* said(1))
        tell("exit 0")
        yield* runner.exit
        const survived = alive([left])
        process.kill(left)
        assert.deepStrictEqual(survived, [left])
      }).pipe(withProbe)
    )

    it.live("out of memory is reported as OutOfMemory, with the limit", () =>
      Effect.gen(function* () {
        const { runner, said, tell } = yield* launch()
        yield* said(0)
        tell("fill")
        const exit = yield* runner.exit
        assert.deepStrictEqual(exit.reason, new OutOfMemory({ limit: "--max-old-space-size=32" }))
        assert.deepStrictEqual(runner.bootFailure(exit), new OutOfMemory({ limit: "--max-old-space-size=32" }))
      }).pipe((_) => withProbe(_, { execArgv: ["--max-old-space-size=32"] }))
    )
  })

  describe("closing the scope of a runner process", () => {
    it.live("ends the runner by SIGTERM and leaves nothing, not even a zombie", () =>
      Effect.gen(function* () {
        const before = children()
        const pids: Array<number> = []
        const exits = yield* Effect.gen(function* () {
          const runners = yield* Effect.all([launch(), launch({ id: "app-2" }), launch({ id: "app-3" })])
          yield* Effect.forEach(runners, ({ said }) => said(0))
          pids.push(...runners.map(({ pid }) => pid))
          // Three runners share one reaper.
          assert.strictEqual(children().length - before.length, 4)
          return runners.map(({ runner }) => runner.exit)
        }).pipe(withProbe)
        assert.deepStrictEqual(children(), before)
        assert.deepStrictEqual(alive(pids), [])
        for (const exit of exits) {
          assert.deepStrictEqual((yield* exit).reason, new Killed({ signal: "SIGTERM", by: "its pool closed it" }))
        }
      })
    )

    it.live("kills a runner that does not end within the grace", () =>
      Effect.gen(function* () {
        const before = children()
        const [deaf, blocked] = yield* Effect.gen(function* () {
          const deaf = yield* launch()
          deaf.tell("deaf")
          yield* deaf.said(1)
          const blocked = yield* launch({ id: "app-2" })
          blocked.tell("deaf")
          yield* blocked.said(1)
          blocked.tell("block")
          return [deaf.runner.exit, blocked.runner.exit] as const
        }).pipe((_) => withProbe(_, { killGrace: 100 }))
        const killed = new Killed({ signal: "SIGKILL", by: "it had not ended 100 ms after its pool closed it" })
        assert.deepStrictEqual((yield* deaf).reason, killed)
        assert.deepStrictEqual((yield* blocked).reason, killed)
        assert.deepStrictEqual(children(), before)
      })
    )

    it.live("kills a runner that is stopped by SIGSTOP", () =>
      Effect.gen(function* () {
        const pid = yield* Effect.gen(function* () {
          const { pid, said } = yield* launch()
          yield* said(0)
          process.kill(pid, "SIGSTOP")
          return pid
        }).pipe((_) => withProbe(_, { killGrace: 100 }))
        assert.deepStrictEqual(alive([pid]), [])
      })
    )

    it.live("does nothing after the runner has ended", () =>
      Effect.gen(function* () {
        const before = children()
        const exit = yield* Effect.gen(function* () {
          const { runner, tell } = yield* launch()
          tell("exit 4")
          yield* runner.exit
          return runner.exit
        }).pipe(withProbe)
        assert.deepStrictEqual((yield* exit).reason, new Exited({ code: 4 }))
        assert.deepStrictEqual(children(), before)
      })
    )

    it.live("leaves nothing of a launch that was interrupted", () =>
      Effect.gen(function* () {
        const before = children()
        yield* Effect.gen(function* () {
          const launches = yield* Effect.forEach([1, 2, 3, 4], (n) => Effect.forkChild(launch({ id: `app-${n}` })))
          yield* Effect.yieldNow
          yield* Fiber.interruptAll(launches)
        }).pipe(withProbe)
        assert.deepStrictEqual(children(), before)
      })
    )
  })

  describe("the output of a runner process", () => {
    it.live("goes to the log of the fiber that launched the runner, with the runner's id", () =>
      Effect.gen(function* () {
        const { layer, lines } = capture()
        yield* Effect.gen(function* () {
          const { runner, tell } = yield* launch()
          tell("out one\\ntwo\\n")
          tell("err three")
          tell("exit 0")
          yield* runner.exit
        }).pipe((_) => withProbe(_, { outputLevel: "Warn" }), Effect.provide(layer))
        const of = (output: string, line: string) => ({ runner: "app-1", output, level: "Warn", line })
        assert.sameDeepMembers(lines, [of("stdout", "one"), of("stdout", "two"), of("stderr", "three")])
      })
    )

    it.live("in a flood is dropped from the log, and neither blocks the runner nor fills the parent's memory", () =>
      Effect.gen(function* () {
        const { layer, lines } = capture()
        const total = 6_000_000
        yield* Effect.gen(function* () {
          const { said, tell } = yield* launch()
          yield* said(0)
          const before = process.memoryUsage().rss
          tell(`flood ${total}`)
          assert.strictEqual(yield* said(1), "flooded")
          assert.isBelow(process.memoryUsage().rss - before, 128 * 1024 * 1024)
        }).pipe(withProbe, Effect.provide(layer))
        const line = "all work and no play makes a runner a dull process"
        const gaps = lines.map(({ line }) =>
          Number(line.match(/^\((\d+) bytes of output were left out here/)?.[1] ?? 0)
        )
        const leftOut = gaps.reduce((sum, gap) => sum + gap, 0) / `${line}\n`.length
        assert.isAbove(leftOut, total / 2)
        assert.strictEqual(leftOut + lines.filter((logged) => logged.line === line).length, total)
      })
    )

    it.live("is read even if a logger dies", () =>
      Effect.gen(function* () {
        const { runner, tell } = yield* launch()
        tell("err something\\n")
        tell("exit 5")
        assert.deepStrictEqual((yield* runner.exit).reason, new Exited({ code: 5, stderr: "something" }))
      }).pipe(
        withProbe,
        Effect.provide(
          Logger.layer([
            Logger.make(() => {
              throw new Error("the disk of the log is full")
            })
          ])
        )
      )
    )
  })

  it.live("does not prevent a connection from being given up before its start", () =>
    Effect.gen(function* () {
      const runner = yield* (yield* Backend).launch(spec)
      const transport = yield* runner.connection
      transport.destroy(new Error("the pool has closed meanwhile"))
      assert.strictEqual((yield* runner.exit).reason._tag, "Exited")
    }).pipe(withProbe)
  )

  it.live("is read when the reaper was killed", () =>
    Effect.gen(function* () {
      const before = children()
      yield* Effect.gen(function* () {
        yield* launch()
        const reapers = () => children().filter(({ args }) => args.includes("effect-flame-reaper"))
        const [first] = reapers()
        process.kill(first!.pid, "SIGKILL")
        yield* Effect.promise(() =>
          until(() => !processes().some(({ pid }) => pid === first!.pid), "the reaper is gone and collected")
        )
        yield* launch({ id: "app-2" })
        assert.strictEqual(reapers().length, 1)
      }).pipe(withProbe)
      assert.deepStrictEqual(children(), before)
    })
  )
})
