#!/usr/bin/env node
// Measures how costs grow: a call beside 1 000 declared functions, beside 15 other pools, with 1 000 runners (policy alone), and
// four cold runners at once beside four bare forks.
//
//   node bench/scale.mjs [--rounds 60] [--boots 5]
//
// Calls run in memory: through the codec, the pool and the wire, in one process. The figure is the quickest of all rounds, because
// other work on the machine only ever adds to it. The sizes take turns in each round.
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import { bundleAll, bundled } from "./flame/bundle.mjs"
import { startChild, stopChild } from "./work/children.mjs"
import { median } from "./driver/metrics.mjs"

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "60" }, boots: { type: "string", default: "5" } }
})
const [rounds, boots] = [Number(values.rounds), Number(values.boots)]
const failed = await bundleAll()
if (failed) throw new Error(failed)
const Flame = await import("./.out/lib/Flame.js")
const FlameLayer = await import("./.out/lib/FlameLayer.js")
const Policy = await import("./.out/lib/pool/policy/Policy.js")
const Ticket = await import("./.out/lib/pool/policy/Ticket.js")

const now = () => performance.now()
const all = { concurrency: "unbounded", discard: true }

/** Runs each contender in each round, and prints the quickest time of each in microseconds, with the ratio to the first. */
const compare = async (title, contenders) => {
  const best = contenders.map(() => Infinity)
  for (let round = 0; round < rounds; round++) {
    for (const [i, { times, run }] of contenders.entries()) {
      const from = now()
      await run()
      best[i] = Math.min(best[i], ((now() - from) * 1000) / times)
    }
  }
  const figures = contenders.map(
    ({ name }, i) => `${name} ${best[i].toFixed(2)} µs (${(best[i] / best[0]).toFixed(2)}×)`
  )
  console.log(`${title}: ${figures.join(", ")}`)
}

const Item = Schema.Struct({ id: Schema.Number, text: Schema.String })
const echoOf = (name, pool) =>
  Flame.fn(name, { payload: Item, success: Item, ...(pool ? { pool } : {}) }, (item) => Effect.succeed(item))

/** Calls with 64 in flight, on a runtime whose pools are built. */
const calling = (layer, echo, options) => {
  const runtime = ManagedRuntime.make(layer)
  const times = 2000
  const lanes = Effect.suspend(() => {
    let left = times
    const lane = Effect.gen(function* () {
      while (left-- > 0) yield* Flame.call(echo, { id: left, text: "abcdefghijklmnopqrstuvwxyz" }, options)
    })
    return Effect.forEach(Array.from({ length: 64 }), () => lane, all)
  })
  return { times, run: () => runtime.runPromise(lanes), close: () => runtime.dispose() }
}

const functions = async () => {
  const sized = (count) => {
    const declared = Array.from({ length: count }, (_, i) => echoOf(`echo${i}`))
    const layer = FlameLayer.test(declared, { min: 1, max: 1, concurrency: 64 })
    return { name: `${count} functions`, ...calling(layer, declared[count >> 1]) }
  }
  const contenders = [sized(1), sized(1000)]
  await compare("a call in memory", contenders)
  for (const { close } of contenders) await close()
}

const pools = async () => {
  const sized = (count) => {
    const classes = Array.from({ length: count }, (_, i) => Flame.PoolService()(`bench/Pool${count}-${i}`))
    const echoes = classes.map((pool, i) => echoOf(`echo${count}-${i}`, pool))
    const [first, ...more] = classes.map((pool) => pool.layer({ min: 1, max: 1, concurrency: 64 }))
    const layer = Layer.provideMerge(Layer.mergeAll(first, ...more), FlameLayer.test(echoes, { max: 1 }))
    return { name: `${count} pools`, ...calling(layer, echoes[count >> 1], { pool: classes[count >> 1] }) }
  }
  const contenders = [sized(1), sized(16)]
  await compare("a call in memory", contenders)
  for (const { close } of contenders) await close()
}

const options = {
  concurrency: 4,
  spare: 0,
  queueCapacity: 1000,
  strategy: "spread",
  maxCalls: undefined,
  maxLifetime: undefined,
  idleTimeToLive: 30_000,
  minIdleTimeToLive: undefined,
  asksIdle: false,
  backoff: { base: 100, cap: 1000 },
  crashLoopTime: 1000,
  bootPatience: 1000
}

/** Submits and releases calls of a policy that has so many ready runners, half of them busy. */
const deciding = (count) => {
  const state = Policy.make({ ...options, min: count, max: count }, 1)
  for (let time = 0; Policy.snapshot(state).ready < count; time += 10_000) {
    for (const { _tag, runner } of Policy.step(state, { _tag: "Tick", now: time })) {
      if (_tag === "Boot") Policy.step(state, { _tag: "Ready", now: time, runner })
    }
    if (time > 1e9) throw new Error("the policy does not boot its runners")
  }
  for (let i = 0; i < count * 2; i++) Policy.step(state, { _tag: "Submit", now: 1e9, ticket: Ticket.make() })
  const times = 20_000
  const run = () => {
    for (let i = 0; i < times; i++) {
      const ticket = Ticket.make()
      Policy.step(state, { _tag: "Submit", now: 1e9 + i, ticket })
      Policy.step(state, { _tag: "Released", now: 1e9 + i, ticket, completed: true })
    }
  }
  return { name: `${count} runners`, times, run }
}

const together = async () => {
  const pid = Flame.fn("pid", { success: Schema.Number }, () => Effect.sync(() => process.pid))
  const entry = pathToFileURL(bundled("runner"))
  const runners = async () => {
    const from = now()
    const runtime = ManagedRuntime.make(FlameLayer.local({ entry, min: 4, max: 4, awaitMin: true }))
    await runtime.runPromise(Flame.call(pid))
    const ms = now() - from
    await runtime.dispose()
    return ms
  }
  const forks = async () => {
    const from = now()
    const children = await Promise.all(Array.from({ length: 4 }, () => startChild("floor-fork.mjs")))
    const ms = now() - from
    for (const { proc } of children) await stopChild(proc)
    return ms
  }
  const taken = { runners: [], forks: [] }
  for (let round = 0; round <= boots; round++) {
    const [a, b] = [await runners(), await forks()]
    // the first runners store compiled code, and the parent loads its modules
    if (round === 0) continue
    taken.runners.push(a)
    taken.forks.push(b)
  }
  const [ours, bare] = [median(taken.runners), median(taken.forks)]
  console.log(
    `four at once, with a result: ${ours.toFixed(0)} ms, four bare forks ${bare.toFixed(0)} ms (${(ours / bare).toFixed(2)}×)`
  )
}

await compare("Submit and Released in the policy", [deciding(1), deciding(10), deciding(1000)])
await functions()
await pools()
await together()
process.exit(0)
