/** Runs all fuzzers of peers, and measures stalls and memory. */
import * as Random from "../simulation/Random.ts"
import { decode } from "./DecoderFuzz.ts"
import { fly } from "./FirstFlightFuzz.ts"
import { receive, serve } from "./SessionFuzz.ts"

/** The fuzzers. Each takes a random generator, throws on a fault, and returns whether the peer was disconnected. */
export const fuzzers = { "a runner": serve, "its parent": receive, decoders: decode, "first flights": fly }

export type Fuzzer = keyof typeof fuzzers

/** The figures of a run. */
export interface Outcome {
  readonly runs: number
  readonly ended: number
  /** CPU time of the slowest input in milliseconds. CPU time, because other processes must not count. */
  readonly worst: number
  /** Growth of resident memory between the first tenth and the end, in bytes. */
  readonly growth: number
}

/** Runs a fuzzer with the seeds from `first` on. A failure names its seed. */
export const fuzz = (name: Fuzzer, runs: number, first = 1): Outcome => {
  const run = fuzzers[name]
  let ended = 0
  let worst = 0
  let before = 0
  for (let i = 0; i < runs; i++) {
    const seed = first + i
    const cpu = process.threadCpuUsage()
    try {
      if (run(Random.make(seed))) ended++
    } catch (error) {
      throw new Error(`${name}, seed ${seed}: ${String(error)}`, { cause: error })
    }
    const { system, user } = process.threadCpuUsage(cpu)
    worst = Math.max(worst, (system + user) / 1000)
    if (i === Math.floor(runs / 10)) before = process.memoryUsage.rss()
  }
  return { runs, ended, worst, growth: process.memoryUsage.rss() - before }
}
