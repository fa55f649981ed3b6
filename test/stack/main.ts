/**
 * The full-stack simulation: `npm run sim:stack -- --schedules 20000`, or `--calls 1000000`, from `--seed 1`.
 *
 * Prints the shrunk schedule of a broken rule, and exits with 1. `--processes 2` splits the schedules between two
 * processes. `--all` goes on after a finding, does not shrink it, and counts the kinds of findings.
 */
import { fork } from "node:child_process"
import { parseArgs } from "node:util"
import { play } from "./Play.ts"
import { preload } from "./preload.ts"
import { make } from "./Schedule.ts"
import { describe, shrink } from "./Shrink.ts"

const { values } = parseArgs({
  options: {
    schedules: { type: "string", default: "Infinity" },
    calls: { type: "string", default: "Infinity" },
    seed: { type: "string" },
    length: { type: "string", default: "40" },
    processes: { type: "string", default: "1" },
    all: { type: "boolean", default: false }
  }
})
const first = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed)
const length = Number(values.length)
const limit =
  values.schedules === "Infinity" && values.calls === "Infinity"
    ? { schedules: 2_000, calls: Infinity }
    : { schedules: Number(values.schedules), calls: Number(values.calls) }

const playAll = async (): Promise<number> => {
  await preload()
  const start = performance.now()
  const kinds = new Map<string, { count: number; readonly seed: number }>()
  let calls = 0
  let done = 0
  while (done < limit.schedules && calls < limit.calls) {
    const schedule = make(first + done, length)
    const { broken, operations } = await play(schedule)
    calls += operations
    done++
    if (broken === undefined) continue
    if (!values.all) {
      console.error(describe(length, await shrink(schedule, broken)))
      return 1
    }
    const kind = broken.replace(/\d+/g, "N").slice(0, 200)
    const known = kinds.get(kind)
    if (known === undefined) kinds.set(kind, { count: 1, seed: schedule.seed })
    else known.count++
  }
  for (const [kind, { count, seed }] of kinds) console.log(`${count} x ${kind} (seed ${seed})`)
  const seconds = ((performance.now() - start) / 1_000).toFixed(1)
  const found = kinds.size === 0 ? "nothing found" : `${kinds.size} kinds of findings`
  console.log(`${calls} calls in ${done} schedules from seed ${first}: ${found} in ${seconds} s`)
  return kinds.size === 0 ? 0 : 1
}

/** Splits the schedules among processes, with consecutive seeds. */
const playInProcesses = async (processes: number): Promise<number> => {
  const share = {
    schedules: Math.ceil(limit.schedules / processes),
    calls: Math.ceil(limit.calls / processes)
  }
  // With a limit of calls only, the number of seeds per process is unknown.
  const stride = share.schedules === Infinity ? 10_000_000 : share.schedules
  const codes = await Promise.all(
    Array.from({ length: processes }, (_, index) => {
      const seed = first + index * stride
      const args = [`--seed=${seed}`, `--schedules=${share.schedules}`, `--calls=${share.calls}`, `--length=${length}`]
      const child = fork(import.meta.filename, values.all ? [...args, "--all"] : args)
      return new Promise<number>((resolve) => child.once("exit", (code) => resolve(code ?? 1)))
    })
  )
  return Math.max(...codes)
}

const processes = Number(values.processes)
process.exitCode = processes > 1 ? await playInProcesses(processes) : await playAll()
