/** The program `effect-flame`, run as a person runs it. */
import { execFile, spawn } from "node:child_process"
import { dirname, delimiter, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { inject } from "vitest"
import { patience } from "../../fixtures/conformance-process/patience.ts"

const main = join(import.meta.dirname, "../../../src/cli/main.ts")
const options = ["--conditions=effect-flame-source", main]

/** The end of a program. */
export interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

const variables = (more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => {
  const { tools } = inject("cluster")
  const path = `${dirname(resolve(tools.kubectl))}${delimiter}${process.env["PATH"]}`
  return { ...process.env, KUBECONFIG: tools.kubeconfig, PATH: path, ...more }
}

const ended = (file: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv, input = ""): Effect.Effect<Ended> =>
  Effect.callback<Ended>((resume) => {
    const child = execFile(file, args, { env, encoding: "utf8", maxBuffer: 16_000_000 }, (error, stdout, stderr) =>
      resume(
        Effect.succeed({
          status: typeof error?.code === "number" ? error.code : error === null ? 0 : -1,
          stdout,
          stderr
        })
      )
    )
    child.stdin?.end(input)
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/** Runs a command line of `effect-flame`. */
export const run = (args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>): Effect.Effect<Ended> =>
  ended(process.execPath, [...options, ...args], variables(env))

/** The document that a command prints with `--json`. */
export const json = (args: ReadonlyArray<string>, env?: Readonly<Record<string, string>>): Effect.Effect<any> =>
  Effect.map(run([...args, "--json"], env), ({ stderr, stdout }) => {
    if (stdout === "") throw new Error(`effect-flame ${args.join(" ")} printed no JSON: ${stderr}`)
    return JSON.parse(stdout)
  })

/** Runs a line of shell, such as a fix that `doctor` prints. Dies where it fails. */
export const shell = (line: string, input = ""): Effect.Effect<string> =>
  Effect.map(ended("sh", ["-c", line], variables(), input), ({ status, stderr, stdout }) => {
    if (status !== 0) throw new Error(`${line}: ${stderr}`)
    return stdout
  })

/** Repeats a look until it finds something. Dies with the name of what never came. */
export const eventually = <A>(look: Effect.Effect<A | undefined | false>, what: string): Effect.Effect<A> =>
  Effect.gen(function* () {
    for (;;) {
      const found = yield* look
      if (found !== undefined && found !== false) return found
      yield* Effect.sleep(300)
    }
  }).pipe(patience(() => what))

/** Starts a parent on this machine whose runners are pods. The end of the Scope kills it. */
export const parent = (app: string, env: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--conditions=effect-flame-source", app], { env: variables(env), stdio: "ignore" })
    ),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )
