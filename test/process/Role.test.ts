import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ProcessBackend from "../../src/backend/ProcessBackend.ts"
import { current, decode, reportPrefix, type Runner } from "../../src/process/Role.ts"
import { keyVariable, networkVariables, prefix, preload, variables, type Way } from "../../src/process/RoleVariables.ts"
import { decodeFailure } from "../../src/wire/Handshake.ts"
import { capture, fixture, launch, spec } from "../fixtures/process/kit.ts"

/** The line of JSON that a runner of that entry prints. */
const printed = (name: string, options: Partial<ProcessBackend.ProcessBackendOptions> = {}) =>
  Effect.gen(function* () {
    const { layer, lines } = capture()
    yield* Effect.flatMap(launch(), ({ runner }) => runner.exit).pipe(
      Effect.scoped,
      Effect.provide(ProcessBackend.layer({ entry: fixture(name), ...options })),
      Effect.provide(layer)
    )
    return JSON.parse(lines.map(({ line }) => line).join("\n"))
  })

const runner = {
  _tag: "Runner" as const,
  id: spec.id,
  pool: spec.pool,
  life: spec.life,
  bootTimeout: spec.bootTimeout,
  drainTimeout: spec.drainTimeout,
  cancelGrace: spec.cancelGrace
}

const taken = (changes: Record<string, string | undefined> = {}) => ({
  ...Object.fromEntries(
    Object.entries(variables(spec, 100)).map(([name, value]) => [name.slice(prefix.length), value])
  ),
  ppid: 100,
  ...changes
})

describe("the role of a process", () => {
  it("is parent in the process of this test", () => {
    assert.deepStrictEqual(current(), { _tag: "Parent" })
    assert.deepStrictEqual(decode(undefined), { _tag: "Parent" })
  })

  it("is runner in the process that its parent started", () => {
    const { report, transport, ...role } = decode(taken(), true) as Runner
    assert.deepStrictEqual(role, { ...runner, parent: "process 100" })
    assert.isFunction(transport)
    assert.isFunction(report)
  })

  it("cannot be runner in a process that another process started, which is refused by name", () => {
    assert.deepStrictEqual(decode({ ...taken(), ppid: 101 }, true), {
      _tag: "Refused",
      detail:
        "the FLAME_RUNNER_* variables here are those of runner app-1, which process 100 started, " +
        "but this process was started by 101: do not pass a runner's environment on"
    })
  })

  it("cannot be runner in a worker thread, whatever its environment", () => {
    const detail = "this is a worker thread of a runner, which cannot be a runner or have any"
    for (const of of [taken(), taken({ ID: undefined })]) {
      assert.deepStrictEqual(decode(of, false), { _tag: "Refused", detail })
    }
  })

  it("is parent without a runner's id, on the main thread", () => {
    assert.deepStrictEqual(decode(taken({ ID: undefined }), true), { _tag: "Parent" })
    assert.deepStrictEqual(decode(taken({ ID: "" }), true), { _tag: "Parent" })
  })

  it.each([[[]], [[preload]]])(
    "is not made runner by variables of a pool that is called Runner, with options %j",
    (options) => {
      const env = { ...process.env, FLAME_RUNNER_MAX: "3", FLAME_RUNNER_SPARE: "1" }
      const args = [...options, fileURLToPath(fixture("role.ts"))]
      const { left, role } = JSON.parse(execFileSync(process.execPath, args, { env, encoding: "utf8" }))
      assert.deepStrictEqual(role, { _tag: "Parent" })
      assert.deepStrictEqual(left.toSorted(), ["FLAME_RUNNER_MAX", "FLAME_RUNNER_SPARE"])
    }
  )

  it("is not made runner by a boot timeout of a pool that is called Runner, and the variable stays", () => {
    const env = { ...process.env, FLAME_RUNNER_BOOT_TIMEOUT: "1 minute" }
    const text = execFileSync(process.execPath, [fileURLToPath(fixture("role.ts"))], { env, encoding: "utf8" })
    const { left, role } = JSON.parse(text)
    assert.deepStrictEqual([role, left], [{ _tag: "Parent" }, ["FLAME_RUNNER_BOOT_TIMEOUT"]])
  })

  it.live("has left the environment before the first module of the program is evaluated", () =>
    Effect.gen(function* () {
      const { execArgv, left, role } = yield* printed("role.ts")
      assert.deepStrictEqual(role, { ...runner, parent: `process ${process.pid}` })
      assert.deepStrictEqual(left, [])
      assert.deepStrictEqual(execArgv, process.execArgv)
    })
  )

  it.live("has left the environment before a preloaded module is evaluated", () =>
    Effect.gen(function* () {
      const ahead = `--import=data:text/javascript,process.env.SEEN=Object.keys(process.env).join(",")`
      const { layer, lines } = capture()
      yield* Effect.gen(function* () {
        const { said, tell } = yield* launch()
        const { env } = JSON.parse(yield* said(0))
        assert.include(env.SEEN, "PATH")
        assert.notInclude(env.SEEN, prefix)
        tell("exit 0")
      }).pipe(
        Effect.scoped,
        Effect.provide(ProcessBackend.layer({ entry: fixture("probe.ts"), execArgv: [ahead] })),
        Effect.provide(layer)
      )
      assert.deepStrictEqual(lines, [])
    })
  )

  it.live("[C65] is not inherited by processes, forks, threads and copied environments of a runner", () =>
    Effect.gen(function* () {
      const { copied, forked, left, own, spawned, worker } = yield* printed("family.ts")
      assert.strictEqual(own, "Runner")
      assert.deepStrictEqual(left, [])
      assert.deepStrictEqual(spawned, { _tag: "Parent" })
      assert.deepStrictEqual(forked, { role: { _tag: "Parent" }, execArgv: process.execArgv })
      assert.strictEqual(copied._tag, "Refused")
      assert.match(
        copied.detail,
        /^the FLAME_RUNNER_\* variables here are those of runner app-1, which process \d+ started/
      )
      assert.deepStrictEqual(worker.role, {
        _tag: "Refused",
        detail: "this is a worker thread of a runner, which cannot be a runner or have any"
      })
    })
  )

  it("is read from the environment also when no module was preloaded", () => {
    const run = (parent: number) =>
      JSON.parse(
        execFileSync(process.execPath, [fileURLToPath(fixture("role.ts"))], {
          env: { ...process.env, ...variables(spec, parent) },
          encoding: "utf8"
        })
      )
    assert.deepStrictEqual(run(process.pid).role, { ...runner, parent: `process ${process.pid}` })
    assert.strictEqual(run(1).role._tag, "Refused")
  })

  it("on another machine needs an address or port, an identity and a key, whichever process started the runner", () => {
    const over = (way: Way, changes: Record<string, string | undefined> = {}) => ({
      ...Object.fromEntries(
        Object.entries({ ...networkVariables(spec, "life.1", way), [keyVariable]: "a secret" }).map(([name, value]) => [
          name.slice(prefix.length),
          value
        ])
      ),
      ppid: 1,
      ...changes
    })
    for (const [way, parent] of [
      [{ address: "10.1.2.3:9345" }, "10.1.2.3:9345"],
      [{ listen: 9346 }, "a parent that connects to port 9346"]
    ] as const) {
      const role = decode(over(way), true) as Runner
      assert.deepInclude({ ...role }, { ...runner, parent })
      assert.notInclude(inspect(role, { depth: 9, showHidden: true }) + JSON.stringify(role), "a secret")
      for (const name of ["IDENTITY", "KEY", "ADDRESS", "LISTEN"].filter((name) => name in over(way))) {
        assert.strictEqual(decode(over(way, { [name]: undefined }), true)._tag, "Refused", name)
      }
    }
  })

  it("on another machine leaves the environment at once, and its report fits into the termination message", () => {
    const folder = mkdtempSync(join(tmpdir(), "flame-role-"))
    const report = join(folder, "report")
    try {
      const program = `
        const { report } = await import(${JSON.stringify(new URL("../../src/process/Role.ts", import.meta.url).href)})
        const left = Object.keys(process.env).filter((name) => name.startsWith("FLAME_RUNNER_"))
        const { NotARunner } = await import(${JSON.stringify(new URL("../../src/error/BootFailure.ts", import.meta.url).href)})
        report(new NotARunner({ detail: "because ".repeat(1_000) + "\u20ac".repeat(5_000), stderr: String.fromCharCode(10).repeat(9_000) }))
        console.log(JSON.stringify(left))`
      const env = {
        ...process.env,
        ...networkVariables(spec, "life.1", { address: "127.0.0.1:1" }),
        [keyVariable]: "a secret",
        FLAME_RUNNER_REPORT: report
      }
      const left = execFileSync(process.execPath, ["--input-type=module", "-e", program], { env, encoding: "utf8" })
      assert.deepStrictEqual(JSON.parse(left), [])
      const text = readFileSync(report, "utf8")
      assert.isAtMost(Buffer.byteLength(text), 4_096)
      assert.isTrue(text.startsWith(reportPrefix))
      const cause = decodeFailure(Buffer.from(text.slice(reportPrefix.length)))
      assert.strictEqual(cause._tag, "NotARunner")
      assert.match(cause.message, /^because because /)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
