// effect-flame as a peer: one pool of child processes, min = max = workers. The variant names how the runner's entry is loaded:
// bundle (rolldown, minified), cached (bundle, with its compiled code beside it), snapshot (bundle, with a V8 snapshot), source (TypeScript through the thin doors),
// barrel (TypeScript, `import … from "effect"`), barrel-node (barrel, and the barrel of @effect/platform-node), traced (bundle,
// with a tracer on both sides).
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { pathToFileURL } from "node:url"
import { makeEffectPeer, makeLoops } from "../caller/effect-loops.mjs"
import { bundled, cached, snapshotted } from "./bundle.mjs"
import { delayedTransport } from "../work/delay.mjs"
import { define, defineControl, defineEchoes } from "./define.mjs"
import { tracer } from "./tracer.mjs"

const modules = { Cause, Deferred, Effect, Fiber, Stream }
const effectPeer = makeEffectPeer(modules)

const SLOTS = 64
const QUEUE = { burst: 20_000, queue: 200_000 }

const source = (file) => new URL(file, import.meta.url)
const entries = {
  bundle: (kase) => pathToFileURL(bundled(kase === "placed" ? "runner-placed" : "runner")),
  cached: () => pathToFileURL(bundled("runner")),
  snapshot: () => pathToFileURL(snapshotted()),
  source: () => source("runner.mjs"),
  barrel: () => source("runner-barrel.mjs"),
  "barrel-node": () => source("runner-barrel-node.mjs"),
  traced: () => pathToFileURL(bundled("runner-traced")),
  "profiled-bundle": () => pathToFileURL(bundled("runner-profiled")),
  "profiled-source": () => source("runner-profiled.mjs")
}

/** Makes `start` of the peer, from modules of src or of the published build. */
export const makeStart = ({ Backend, Flame, FlameLayer, Pool }) => {
  const { blob, chunks, echo, hang, items, nest, pid, prepare, record, sink, spin } = define({
    Effect,
    Flame,
    Schema,
    Stream
  })
  const echoes = defineEchoes({ Effect, Flame, Rpc, RpcGroup, Schema })
  const control = defineControl({ Flame, Schema })

  /** A backend whose runners are reached over a line with a round trip of `roundTrip` milliseconds. */
  const farAway = (local, pool, roundTrip) =>
    Pool.layer(pool).pipe(
      Layer.provide(
        Layer.effect(
          Backend,
          Effect.map(Backend, (backend) => ({
            ...backend,
            launch: (spec) =>
              Effect.map(backend.launch(spec), (runner) => ({
                ...runner,
                connection: Effect.map(runner.connection, (transport) => delayedTransport(transport, roundTrip / 2))
              }))
          }))
        ).pipe(Layer.provide(local))
      )
    )

  const layerOf = ({ workers, exclusive, kase, variant, queue, line }) => {
    // The case `waiting` fills the queue to its capacity.
    const queueCapacity = kase === "waiting" ? queue : QUEUE[kase]
    const local = FlameLayer.local({
      entry: entries[variant](kase),
      ...(variant === "cached" ? { env: cached() } : {}),
      min: workers,
      max: workers,
      concurrency: exclusive ? 1 : SLOTS + (kase === "placed" ? 1 : 0),
      ...(queueCapacity ? { queueCapacity } : {})
    })
    if (line) return farAway(FlameLayer.local({ entry: entries[variant]() }), { max: 1, concurrency: SLOTS }, line)
    return variant === "traced" ? Layer.merge(local, tracer) : local
  }

  /** Drives the profiler of the runner, for profile.mjs. */
  const profileOf = (run) => ({
    start: () => run(Flame.call(control.start)),
    stop: async () => JSON.parse(await run(Flame.call(control.stop)))
  })

  return async (options) => {
    const runtime = ManagedRuntime.make(layerOf(options))
    const run = (effect) => runtime.runPromise(effect)
    const life = Scope.makeUnsafe()
    let first
    const placed = async () => {
      const client = await run(Scope.provide(Flame.place(echoes, undefined), life))
      const { conc } = makeLoops(modules, (a) => client.echo(a))
      return (c, ms) => run(conc(c, ms))
    }
    return effectPeer({
      run,
      slots: SLOTS,
      reboots: true,
      isFar: options.line !== undefined,
      echo: (a) => Flame.call(echo, a),
      blob: (a) => Flame.call(blob, a),
      record: (a) => Flame.call(record, a),
      sink: (bytes) => Flame.call(sink, bytes),
      prepare: (size) => Flame.call(prepare, { size }),
      spin: (a) => Flame.call(spin, a),
      hang: () => Flame.call(hang),
      items: (n) => Flame.stream(items, { n }),
      chunks: (n, size) => Flame.stream(chunks, { n, size }),
      nested: (lanes, ms) => run(Flame.call(nest, { lanes, ms })),
      learn: async () => (first = await run(Flame.call(pid))),
      pids: () => (first ? [first] : []),
      close: () => runtime.dispose(),
      // Only these entries serve the placed service.
      ...(["bundle", "profiled-bundle", "profiled-source"].includes(options.variant) ? { placed } : {}),
      ...(options.variant.startsWith("profiled") ? { profile: profileOf(run) } : {})
    })
  }
}
