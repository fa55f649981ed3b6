/** All fuzzers of what a peer may send, and a run of them that watches stalls and memory. */
import * as Random from "../simulation/Random.ts"
import { decode } from "./DecoderFuzz.ts"
import { fly } from "./FirstFlightFuzz.ts"
import { receive, serve } from "./SessionFuzz.ts"

/** Each takes a generator, throws what is wrong, and returns whether its peer was cut off. */
export const fuzzers = { "a runner": serve, "its parent": receive, decoders: decode, "first flights": fly }

export type Fuzzer = keyof typeof fuzzers

/** What a run has seen. */
export interface Outcome {
  readonly runs: number
  readonly ended: number
  /** CPU time of the longest single run, in milliseconds: other processes do not count. */
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
