// Makes effect-flame's pools in the cluster, one for each image. This process is their parent, so pods must be able to reach it.
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"
import * as Flame from "../../src/Flame.ts"
import * as FlameLayer from "../../src/FlameLayer.ts"
import { Pool } from "../../src/pool/Pool.ts"
import { host, node, resources } from "./cluster.mjs"
import { echo, hold } from "./functions.mjs"

const PHASES = ["created", "scheduled", "started", "connected", "sent", "importing", "imported", "ready"]

export const startPool = async ({ tools }, namespace, image, more = {}) => {
  const runtime = ManagedRuntime.make(
    FlameLayer.kubernetes({
      kubeconfig: tools.kubeconfig,
      namespace,
      image,
      advertise: host,
      command: ["node", "main.mjs"],
      resources,
      nodeSelector: node,
      max: 1,
      concurrency: 1,
      // Each call is served by a new runner.
      maxCalls: 1,
      cancelGrace: "1 second",
      ...more
    })
  )
  const pool = await runtime.runPromise(Pool)
  const ready = []
  let heard = () => {}
  runtime.runFork(
    Stream.runForEach(pool.events, (event) =>
      Effect.sync(() => {
        if (event._tag === "BootFailed") console.error(`boot failed: ${event.cause.message}`)
        if (event._tag === "RunnerReady")
          ready.push({ labels: event.labels, phases: event.phases, at: performance.now() })
        heard()
      })
    )
  )
  const until = async (holds) => {
    while (!(await holds())) {
      await new Promise((resolve) => {
        heard = resolve
        setTimeout(resolve, 200)
      })
    }
  }
  const empty = () => until(async () => (await runtime.runPromise(pool.status)).runners.length === 0)

  /** Times one call that boots its runner, from the call to its result. */
  const boot = async () => {
    ready.length = 0
    const began = performance.now()
    const text = await runtime.runPromise(Flame.call(echo, { text: "hi" }))
    const ms = performance.now() - began
    if (text !== "hi") throw new Error(`the echo was ${text}`)
    await until(() => ready.length > 0)
    const [{ labels, phases }] = ready
    return { ms, uid: labels.uid, phases: PHASES.map((name) => phases[name]), remove: empty }
  }

  /** Boots `count` runners at once. Times them from the calls until the last runner is connected. */
  const burst = async (count) => {
    ready.length = 0
    const began = performance.now()
    const calls = runtime.runFork(
      Effect.all(
        Array.from({ length: count }, () => Flame.call(hold)),
        { concurrency: "unbounded" }
      )
    )
    await until(() => ready.length === count)
    const ms = Math.max(...ready.map(({ phases }) => phases.connected))
    const uids = ready.map(({ labels }) => labels.uid)
    const settled = performance.now() - began
    const remove = async () => {
      await runtime.runPromise(Fiber.interrupt(calls))
      await empty()
    }
    return { ms, settled, uids, remove }
  }

  return { boot, burst, close: () => runtime.dispose() }
}

export { PHASES }
