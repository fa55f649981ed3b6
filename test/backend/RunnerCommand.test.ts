import { assert, describe, it } from "@effect/vitest"
import * as RunnerCommand from "../../src/backend/RunnerCommand.ts"
import { preload } from "../../src/process/RoleVariables.ts"

const program = {
  execPath: "/usr/bin/node",
  execArgv: [],
  argv: ["/usr/bin/node", "/app/main.ts"],
  env: {},
  startDirectory: "/app",
  directory: "/app"
}
const role = { FLAME_RUNNER_ID: "app-1" }
const make = (
  changes: Partial<RunnerCommand.Program>,
  additions: RunnerCommand.Additions = {}
): RunnerCommand.RunnerCommand => RunnerCommand.make({ ...program, ...changes }, additions, role, "/app/runner.ts")

describe("RunnerCommand", () => {
  it("runs the entry on the same Node, with the module of the role preloaded first", () => {
    assert.deepStrictEqual(make({ execArgv: ["--import", "tsx", "--inspect"] }, { execArgv: ["--expose-gc"] }), {
      file: "/usr/bin/node",
      args: [preload, "--import", "tsx", "--expose-gc", "/app/runner.ts"],
      env: role,
      cwd: "/app",
      heapLimit: undefined
    })
  })

  it("[C223] passes the arguments of the program, or those of the option argv", () => {
    const argv = ["/usr/bin/node", "/app/main.ts", "--db", "postgres://x"]
    assert.deepStrictEqual(make({ argv }).args, [preload, "/app/runner.ts", "--db", "postgres://x"])
    assert.deepStrictEqual(make({ argv }, { argv: ["--fast"] }).args, [preload, "/app/runner.ts", "--fast"])
    assert.deepStrictEqual(make({ argv }, { argv: [] }).args, [preload, "/app/runner.ts"])
  })

  it("[C224] starts in the program's first directory if modules are preloaded from there, and then changes directory", () => {
    const moved = make({ execArgv: ["--import", "./instrument.mjs"] }, { cwd: "/tmp/a b" })
    assert.strictEqual(moved.cwd, "/app")
    assert.deepStrictEqual(moved.args.slice(0, 3), [preload, "--import", "./instrument.mjs"])
    assert.match(decodeURIComponent(moved.args[3]!), /^--import=data:.*process\.chdir\("\/tmp\/a b"\)/)
    assert.strictEqual(moved.args[4], "/app/runner.ts")
    // The same for options in the environment, and for a program that has changed its own directory.
    assert.strictEqual(make({ env: { NODE_OPTIONS: "-r dd-trace" } }, { cwd: "/tmp" }).cwd, "/app")
    assert.strictEqual(make({ execArgv: ["--require=x"], directory: "/elsewhere" }).cwd, "/app")
    // No module is preloaded, or the first directory does not exist any more.
    assert.strictEqual(make({}, { cwd: "/tmp" }).cwd, "/tmp")
    assert.strictEqual(make({ execArgv: ["--import", "x"], startDirectory: undefined }, { cwd: "/tmp" }).cwd, "/tmp")
  })

  it("keeps every option that is given for runners", () => {
    assert.include(make({}, { execArgv: ["--inspect=0"] }).args, "--inspect=0")
    assert.strictEqual(make({}, { env: { NODE_OPTIONS: "--inspect=0" } }).env.NODE_OPTIONS, "--inspect=0")
  })

  it("passes the environment on, without variables that address another process", () => {
    const { env } = make(
      {
        env: {
          PATH: "/bin",
          SECRET: "s",
          NODE_OPTIONS: "--inspect --no-warnings",
          WATCH_REPORT_DEPENDENCIES: "1",
          NODE_TEST_CONTEXT: "child-v8",
          NODE_CHANNEL_FD: "3",
          NODE_UNIQUE_ID: "1",
          FLAME_RUNNER_KEY: "of somebody else",
          FLAME_MAX: "4"
        }
      },
      { env: { SECRET: undefined, MORE: "m" } }
    )
    assert.deepStrictEqual(env, { PATH: "/bin", NODE_OPTIONS: "--no-warnings", FLAME_MAX: "4", MORE: "m", ...role })
  })

  it("leaves NODE_OPTIONS out when no option remains", () => {
    assert.deepStrictEqual(make({ env: { NODE_OPTIONS: "--watch" } }).env, role)
  })

  it("does not let options override the variables of the runner's role", () => {
    assert.deepStrictEqual(make({}, { env: { FLAME_RUNNER_ID: "x", FLAME_RUNNER_POOL: "y" } }).env, role)
  })

  it("reads the heap limit from the options", () => {
    assert.strictEqual(make({ env: { NODE_OPTIONS: "--max-old-space-size=64" } }).heapLimit, "--max-old-space-size=64")
    assert.strictEqual(make({}, { execArgv: ["--max-old-space-size=32"] }).heapLimit, "--max-old-space-size=32")
  })
})
