import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Boot from "../../src/error/BootFailure.ts"
import * as Flame from "../../src/error/FlameError.ts"
import * as Exit from "../../src/error/RunnerExit.ts"

const pool = "effect-flame/Pool"
const runner = "pool-7f-1"
const call = { pool, function: "thumbnail" }
const stderr = "Error: boom\n    at thing.ts:1\n"
const deleted = new Exit.Deleted()

const exits: ReadonlyArray<readonly [Exit.ExitReason, string]> = [
  [new Exit.OutOfMemory({}), "it ran out of memory: give runners more, or lower `concurrency`"],
  [
    new Exit.OutOfMemory({ limit: "512Mi" }),
    "it ran out of memory (limit 512Mi): give runners more, or lower `concurrency`"
  ],
  [new Exit.Evicted({ detail: "node low on disk" }), "it was evicted: node low on disk"],
  [new Exit.Preempted({ detail: "spot ended" }), "it was preempted: spot ended"],
  [deleted, "somebody deleted it"],
  [new Exit.NodeLost({ node: "n-3" }), "its node n-3 is gone"],
  [new Exit.Killed({ signal: "SIGKILL" }), "it was killed by SIGKILL"],
  [new Exit.Killed({ signal: "SIGKILL", by: "a stuck call" }), "it was killed by SIGKILL (a stuck call)"],
  [new Exit.Exited({ code: 3 }), "its process exited with code 3"],
  [new Exit.Exited({ code: 1, stderr }), "its process exited with code 1:\n  Error: boom\n      at thing.ts:1"],
  [new Exit.Disconnected({}), "its connection closed"],
  [new Exit.Disconnected({ detail: "it sent a frame of 4 GiB" }), "its connection closed: it sent a frame of 4 GiB"]
]

const boots: ReadonlyArray<readonly [Boot.BootFailure, transient: boolean, string]> = [
  [
    new Boot.ProcessExited({ code: 1, signal: null, stderr }),
    false,
    "its process exited with code 1 before it served; the end of its stderr:\n  Error: boom\n      at thing.ts:1"
  ],
  [
    new Boot.ProcessExited({ code: 0, signal: null, stderr: " \n" }),
    false,
    "its process exited with code 0 before it served; it wrote nothing to stderr"
  ],
  [
    new Boot.ProcessExited({ code: null, signal: "SIGKILL", stderr: "" }),
    true,
    "its process was killed by SIGKILL before it served; it wrote nothing to stderr"
  ],
  [
    new Boot.NotARunner({ detail: "app.ts ended without Flame.main", stderr: "done" }),
    false,
    "app.ts ended without Flame.main:\n  done"
  ],
  [
    new Boot.EntryMissing({ entry: "/app/runner.js" }),
    false,
    "the runner's entry /app/runner.js does not exist: check `entry` of the FlameLayer, or build it first"
  ],
  [
    new Boot.VersionMismatch({ what: "the protocol", parent: "1", runner: "2" }),
    false,
    "the protocol differs: the parent has 1, the runner has 2; run both from the same code"
  ],
  [
    new Boot.NeverConnected({ phase: "started", hint: "does it call Flame.main?", after: 59_999.7 }),
    false,
    `after 60000 ms it had got as far as "started": does it call Flame.main?`
  ],
  [
    new Boot.Crashed({ exitCode: null, detail: "no such module" }),
    false,
    "it crashed: no such module; look at its output"
  ],
  [
    new Boot.Crashed({ exitCode: 9, detail: "no such module" }),
    false,
    "it crashed with exit code 9: no such module; look at its output"
  ],
  [
    new Boot.ServicesFailed({ detail: "no database" }),
    true,
    "the runner could not build the services of its functions: no database; see to what the services need on the runner, the parent tries the boot again"
  ],
  [
    new Boot.ServicesFailed({ detail: "no DB_URL", permanent: true }),
    false,
    "the runner could not build the services of its functions: no DB_URL; correct the environment of the runner, or the layers of its services"
  ],
  [
    new Boot.LaunchFailed({ detail: "spawn E2BIG", permanent: true }),
    false,
    "it could not be started: spawn E2BIG; correct the command, its arguments, `env` or `cwd`"
  ],
  [
    new Boot.EndedEarly({ after: 200.4, detail: "it exited with code 1" }),
    true,
    "it ended 200 ms after it was ready, before it had completed a call: it exited with code 1; look at its output, the boot is tried again"
  ],
  [
    new Boot.BeforeBootFailed({ detail: "no licence" }),
    true,
    "the beforeBoot hook failed: no licence; mend the hook, the boot is tried again"
  ],
  [
    new Boot.LaunchFailed({ detail: "spawn EAGAIN" }),
    true,
    "it could not be started: spawn EAGAIN; check the limits of processes, files and memory, the boot is tried again"
  ],
  [
    new Exit.OutOfMemory({ limit: "512Mi" }),
    true,
    "it ran out of memory (limit 512Mi): give runners more, or lower `concurrency`"
  ],
  [
    new Boot.ImagePull({ image: "app:1", detail: "not found" }),
    false,
    "image app:1 could not be pulled: not found; push it, or correct its name or the pull secrets"
  ],
  [
    new Boot.Unschedulable({ detail: "0/3 nodes fit" }),
    true,
    "no place was found for it: 0/3 nodes fit; make room, or request less for a runner"
  ],
  [
    new Boot.QuotaExceeded({ detail: "pods 10/10" }),
    true,
    "a quota does not allow another runner: pods 10/10; lower `max`, or raise the quota"
  ],
  [
    new Boot.Forbidden({ verb: "create", resource: "pods", detail: "RBAC" }),
    false,
    "the parent may not create pods, grant it that right: RBAC"
  ],
  [new Boot.InvalidSpec({ detail: "bad name" }), false, "bad name"],
  [
    new Boot.AdmissionDenied({ by: "PodSecurity", detail: "it may escalate" }),
    false,
    "PodSecurity does not allow it: it may escalate; change the runner by the options of the layer, or the policy"
  ],
  [
    new Boot.Removed({ detail: "it was evicted" }),
    true,
    "it was taken away before it served: it was evicted; the boot is tried again"
  ],
  [new Boot.ApiUnavailable({ detail: "no answer" }), true, "no answer; the boot is tried again"],
  [
    new Boot.ApiUnreachable({ server: "https://10.0.0.1", reason: "ECONNREFUSED", detail: "is it running?" }),
    false,
    "the Kubernetes API at https://10.0.0.1 cannot be used (ECONNREFUSED): is it running?"
  ],
  [
    new Boot.CodeUnbundled({ entry: "/app/main.ts", detail: "line 3 does not parse" }),
    false,
    "the code for runners could not be made of /app/main.ts: line 3 does not parse"
  ],
  [
    new Boot.CodeNative({ package: "sharp", detail: "src/a.ts imports its addon" }),
    false,
    'sharp cannot be sent to runners: src/a.ts imports its addon; install it in an image, name that image in the option `image`, and name the package in `code: { external: ["sharp"] }`'
  ],
  [
    new Boot.CodeTooLarge({ size: 70_000_000, limit: 64_000_000, largest: "main.mjs 69.0 MB" }),
    false,
    "the code for runners has 70.0 MB, the limit is 64.0 MB; its largest files are main.mjs 69.0 MB: put large files or packages into an image, or raise `maxCode`"
  ],
  [
    new Boot.CodeMismatch({ expected: "a".repeat(64), found: "b".repeat(64) }),
    false,
    "the runner was started for code aaaaaaaaaaaa, but its parent has bbbbbbbbbbbb: look whether something changes the arguments of its container, or the bytes on the way"
  ],
  [
    new Boot.CodeUnresolved({ specifier: "sharp", directory: "/app", detail: "Cannot find package 'sharp'" }),
    false,
    "the runner does not find sharp, which its code imports: Cannot find package 'sharp'; install it in the image below /app, or take it out of `external`"
  ],
  [
    new Boot.CodeUnwritten({ directory: "/tmp", detail: "EROFS" }),
    false,
    "the runner cannot write the files of its code to /tmp: EROFS; give its pod an emptyDir there, or set TMPDIR in `env` to a directory that it may write to"
  ],
  [
    new Boot.NodeTooOld({ found: "20.20.0", needed: "22.19.0" }),
    false,
    "the runner has Node 20.20.0, and effect-flame needs 22.19.0 or newer: use an image with a newer Node"
  ]
]

const lost = { ...call, runner, exit: deleted, gone: true }
const reasons: ReadonlyArray<readonly [Flame.Reason, retryable: boolean, string]> = [
  [
    new Flame.QueueFull({ ...call, waiting: 10, capacity: 10 }),
    true,
    "thumbnail was not accepted: 10 calls wait in pool effect-flame/Pool already, and its queueCapacity is 10; try again later, or raise `max` or `queueCapacity`"
  ],
  [
    new Flame.TimedOut({ ...call, phase: "queued", after: 5 }),
    true,
    "thumbnail took longer than its 5 ms: every slot of pool effect-flame/Pool was busy; raise `max`, `concurrency` or its timeout"
  ],
  [
    new Flame.TimedOut({ ...call, phase: "queued", after: 5, waitsFor: "1 of 1 runners do not answer" }),
    true,
    "thumbnail took longer than its 5 ms: no slot of pool effect-flame/Pool was free: 1 of 1 runners do not answer"
  ],
  [
    new Flame.TimedOut({
      ...call,
      runner,
      phase: "booting",
      after: 5,
      waitsFor: "unschedulable: 0/3 nodes fit",
      cause: new Boot.QuotaExceeded({ detail: "pods 10/10" })
    }),
    true,
    "thumbnail took longer than its 5 ms: no runner of pool effect-flame/Pool was ready for it, runner pool-7f-1: unschedulable: 0/3 nodes fit; the last boot failed: a quota does not allow another runner: pods 10/10; lower `max`, or raise the quota"
  ],
  [
    new Flame.TimedOut({ ...call, phase: "booting", after: 5 }),
    true,
    "thumbnail took longer than its 5 ms: no runner of pool effect-flame/Pool was ready for it; raise its timeout or `min`"
  ],
  [
    new Flame.TimedOut({ ...call, runner, phase: "running", after: 5 }),
    false,
    "thumbnail took longer than its 5 ms: it ran on runner pool-7f-1, where it is being stopped; raise its timeout, or make it faster"
  ],
  [
    new Flame.BootFailed({ pool, attempts: 1, cause: new Boot.EntryMissing({ entry: "r.js" }) }),
    false,
    "pool effect-flame/Pool could not boot a runner (first attempt): the runner's entry r.js does not exist: check `entry` of the FlameLayer, or build it first"
  ],
  [
    new Flame.BootFailed({ pool, runner, attempts: 3, cause: new Boot.QuotaExceeded({ detail: "pods 10/10" }) }),
    true,
    "pool effect-flame/Pool could not boot a runner (3 attempts): a quota does not allow another runner: pods 10/10; lower `max`, or raise the quota"
  ],
  [
    new Flame.RunnerLost({ ...lost, mayHaveRun: true }),
    false,
    "runner pool-7f-1 of pool effect-flame/Pool was lost with thumbnail: somebody deleted it. The call may have run; declare the function `idempotent` if it may simply run again"
  ],
  [
    new Flame.RunnerLost({ ...lost, mayHaveRun: false }),
    true,
    "runner pool-7f-1 of pool effect-flame/Pool was lost with thumbnail: somebody deleted it. The call did not run, it is safe to try again"
  ],
  [
    new Flame.RunnerLost({ ...lost, mayHaveRun: true, attempts: 3 }),
    false,
    "runner pool-7f-1 of pool effect-flame/Pool was lost with thumbnail: somebody deleted it. The call was sent 3 times, each time its runner went; look whether the call ends its runners, or raise `attempts`"
  ],
  [
    new Flame.RunnerLost({ ...lost, mayHaveRun: false, attempts: 3 }),
    true,
    "runner pool-7f-1 of pool effect-flame/Pool was lost with thumbnail: somebody deleted it. 3 runners refused the call. The call did not run, it is safe to try again"
  ],
  [
    new Flame.FunctionMissing({ ...call, runner, parentBuild: "a1", runnerBuild: "b2" }),
    false,
    "runner pool-7f-1 of pool effect-flame/Pool does not serve thumbnail (parent build a1, runner build b2): add it to `functions` of Flame.main or to FlameRunner.serve"
  ],
  [
    new Flame.PoolMissing({ ...call, detail: "provide a FlameLayer around the program" }),
    false,
    "thumbnail needs pool effect-flame/Pool, which is not there: provide a FlameLayer around the program"
  ],
  [
    new Flame.ServiceEnded({ pool: "gpu", function: "ledger", runner: "gpu-1", detail: "it ended by itself" }),
    false,
    "ledger is not served any more on runner gpu-1 of pool gpu: it ended by itself; place the service again if it is still needed"
  ],
  [
    new Flame.TooDeep({ function: "thumbnail", depth: 33, limit: 32 }),
    false,
    "thumbnail is nested 33 calls deep, the limit is 32: look for a function that calls itself without end"
  ],
  [
    new Flame.InvalidPayload({
      function: "thumbnail",
      issues: [
        { path: "", problem: "expected object" },
        { path: "items[1].id", problem: "expected number" }
      ]
    }),
    false,
    "the payload of thumbnail does not match its schema: expected object; items[1].id: expected number"
  ],
  [
    new Flame.PayloadTooLarge({ function: "thumbnail", size: 300, limit: 256, direction: "payload" }),
    false,
    "the payload of thumbnail has 300 bytes, the limit is 256: raise `maxPayload`, or pass a reference (a path, a URL, a key) instead of the bytes"
  ],
  [
    new Flame.PayloadTooLarge({ function: "thumbnail", size: 300, limit: 256, direction: "result" }),
    false,
    "the result of thumbnail has 300 bytes, the limit is 256: raise `maxResult`, give a stream of parts, or pass a reference (a path, a URL, a key) instead of the bytes"
  ],
  [
    new Flame.PoolClosed(call),
    false,
    "pool effect-flame/Pool is closed: thumbnail was not started; make calls before the program shuts down"
  ]
]

const tags = (union: { readonly members: ReadonlyArray<{ readonly identifier: string }> }) =>
  new Set(union.members.map(({ identifier }) => identifier))
const told = (table: ReadonlyArray<readonly [{ readonly _tag: string }, ...ReadonlyArray<unknown>]>) =>
  new Set(table.map(([{ _tag }]) => _tag))

describe("FlameError", () => {
  it("has a message for every reason, every boot failure and every end of a runner", () => {
    assert.deepStrictEqual(told(reasons), tags(Flame.Reason))
    assert.deepStrictEqual(told(boots), tags(Boot.BootFailure))
    assert.deepStrictEqual(told(exits), tags(Exit.ExitReason))
  })

  it.each(reasons)("describes what happened and what to do: %s", (reason, _, message) => {
    assert.strictEqual(new Flame.FlameError({ reason }).message, message)
  })

  it.each(boots)("describes why a boot failed: %s", (cause, _, message) => {
    assert.strictEqual(cause.message, message)
  })

  it.each(exits)("describes why a runner ended: %s", (reason, message) => {
    assert.strictEqual(reason.message, message)
  })

  it("quotes the last twenty lines of an output", () => {
    const output = Array.from({ length: 30 }, (_, i) => `line ${i}`).join("\n")
    const shown = Exit.tail(output).split("\n")
    assert.deepStrictEqual([shown.length, shown[1], shown.at(-1)], [21, "  line 10", "  line 29"])
    assert.strictEqual(Exit.tail(undefined), "")
  })

  it.each(boots)("knows whether a failed boot can heal: %s", (cause, isTransient) => {
    assert.strictEqual(Boot.isTransient(cause), isTransient)
    const error = new Flame.FlameError({ reason: new Flame.BootFailed({ pool, attempts: 1, cause }) })
    assert.strictEqual(Flame.isRetryable(error), isTransient)
  })

  it.each(reasons)("knows whether a retry is safe and can help: %s", (reason, isRetryable) => {
    assert.strictEqual(Flame.isRetryable(new Flame.FlameError({ reason })), isRetryable)
  })

  it("does not count other errors as retryable", () => {
    const full = new Flame.QueueFull({ ...call, waiting: 1, capacity: 1 })
    for (const other of [full, undefined, null, "FlameError", new Error("x"), { _tag: "FlameError", reason: full }]) {
      assert.isFalse(Flame.isRetryable(other))
    }
  })

  it.effect("can be caught by its reason, and passes handlers of other reasons", () =>
    Effect.gen(function* () {
      const reason = new Flame.QueueFull({ ...call, waiting: 1, capacity: 1 })
      const failing = Effect.fail(new Flame.FlameError({ reason }))
      const caught = yield* failing.pipe(
        Effect.catchReason("FlameError", "QueueFull", ({ waiting }) => Effect.succeed(waiting))
      )
      assert.strictEqual(caught, 1)
      const passed = yield* failing.pipe(
        Effect.catchReason("FlameError", "TimedOut", () => Effect.succeed("caught")),
        Effect.flip
      )
      assert.strictEqual(passed.reason, reason)
    })
  )

  it.effect("is retried if a retry is safe, and not otherwise", () =>
    Effect.gen(function* () {
      const attempts = (reason: Flame.Reason) =>
        Effect.gen(function* () {
          let count = 0
          const attempt = Effect.suspend(() => {
            count++
            return Effect.fail(new Flame.FlameError({ reason }))
          })
          yield* Effect.flip(Effect.retry(attempt, { times: 2, while: Flame.isRetryable }))
          return count
        })
      assert.strictEqual(yield* attempts(new Flame.QueueFull({ ...call, waiting: 1, capacity: 1 })), 3)
      assert.strictEqual(yield* attempts(new Flame.PoolClosed(call)), 1)
    })
  )

  it.effect("keeps all its fields when it is encoded and decoded", () =>
    Effect.gen(function* () {
      const codec = Schema.toCodecJson(Flame.FlameError)
      for (const [reason, , message] of reasons) {
        const json = JSON.stringify(yield* Schema.encodeEffect(codec)(new Flame.FlameError({ reason })))
        const error = yield* Schema.decodeUnknownEffect(codec)(JSON.parse(json))
        assert.instanceOf(error, Flame.FlameError)
        assert.strictEqual(error.message, message)
      }
    })
  )
})

describe("RemoteDefect", () => {
  it("names the function and the runner, with the remote stack", () => {
    const defect = new Flame.RemoteDefect({
      function: "thumbnail",
      runner,
      name: "TypeError",
      message: "x is not a function",
      stack: "TypeError: x is not a function\n    at thumbnail.ts:3:4"
    })
    assert.instanceOf(defect, Error)
    assert.strictEqual(defect.message, "thumbnail died on runner pool-7f-1 with TypeError: x is not a function")
    assert.strictEqual(
      defect.stack,
      `RemoteDefect: ${defect.message}\nTypeError: x is not a function\n    at thumbnail.ts:3:4`
    )
    assert.deepStrictEqual(
      [defect.name, defect.remoteName, defect.function, defect.runner],
      ["RemoteDefect", "TypeError", "thumbnail", runner]
    )
  })
})
