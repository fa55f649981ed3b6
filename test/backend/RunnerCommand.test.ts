import { assert, describe, it } from "@effect/vitest"
import * as RunnerCommand from "../../src/backend/RunnerCommand.ts"
import { preload } from "../../src/process/RoleVariables.ts"

const program = { execPath: "/usr/bin/node", execArgv: [], env: {} }
const role = { FLAME_RUNNER_ID: "app-1" }
const make = (
  changes: Partial<RunnerCommand.Program>,
  additions: RunnerCommand.Additions = {}
): RunnerCommand.RunnerCommand => RunnerCommand.make({ ...program, ...changes }, additions, role, "/app/runner.ts")

describe("RunnerCommand", () => {
  it("runs the entry on the same Node, with our module before any other", () => {
    assert.deepStrictEqual(make({ execArgv: ["--import", "tsx", "--inspect"] }, { execArgv: ["--expose-gc"] }), {
      file: "/usr/bin/node",
      args: [preload, "--import", "tsx", "--expose-gc", "/app/runner.ts"],
      env: role,
      heapLimit: undefined
    })
  })

  it("keeps an option that is given for runners, whatever it is", () => {
    assert.include(make({}, { execArgv: ["--inspect=0"] }).args, "--inspect=0")
    assert.strictEqual(make({}, { env: { NODE_OPTIONS: "--inspect=0" } }).env.NODE_OPTIONS, "--inspect=0")
  })

  it("passes the environment on, less what speaks to another process", () => {
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

  it("leaves NODE_OPTIONS out when nothing is left of them", () => {
    assert.deepStrictEqual(make({ env: { NODE_OPTIONS: "--watch" } }).env, role)
  })

  it("lets nobody give a runner another role", () => {
    assert.deepStrictEqual(make({}, { env: { FLAME_RUNNER_ID: "x", FLAME_RUNNER_POOL: "y" } }).env, role)
  })

  it("knows the limit of the heap", () => {
    assert.strictEqual(make({ env: { NODE_OPTIONS: "--max-old-space-size=64" } }).heapLimit, "--max-old-space-size=64")
    assert.strictEqual(make({}, { execArgv: ["--max-old-space-size=32"] }).heapLimit, "--max-old-space-size=32")
  })
})
