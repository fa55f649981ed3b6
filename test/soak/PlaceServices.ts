/** The placed services of the soak, and functions that inspect their runners. */
import { appendFileSync } from "node:fs"
import { type Context, Effect, type Exit, Metric, Ref, Schema, Stream } from "effect"
import { Rpc, RpcGroup } from "effect/rpc"
import { Flame, FlameRunner } from "../../src/index.ts"

/** The number of living fibers of the program, without the first. */
export const fibers = {
  living: 0,
  recordFiberStart(_: Context.Context<never>): void {
    fibers.living++
  },
  recordFiberEnd(_: Context.Context<never>, _exit: Exit.Exit<unknown, unknown>): void {
    fibers.living--
  }
}

export const countingFibers = Effect.provideService(Metric.FiberRuntimeMetrics, fibers)

/** The procedures by which a tally calls its owner. */
export class Owner extends RpcGroup.make(
  Rpc.make("double", { payload: { n: Schema.Int }, success: Schema.Int }),
  Rpc.make("down", { payload: { from: Schema.Int }, success: Schema.Int, stream: true })
) {}

export class Tallying extends RpcGroup.make(
  Rpc.make("add", { payload: { n: Schema.Int }, success: Schema.Int }),
  Rpc.make("echo", { payload: Schema.Uint8Array, success: Schema.Uint8Array }),
  Rpc.make("count", { payload: { to: Schema.Int }, success: Schema.Int, stream: true }),
  Rpc.make("pour", { success: Schema.Uint8Array, stream: true }),
  Rpc.make("hold"),
  Rpc.make("askOwner", { payload: { n: Schema.Int }, success: Schema.Int }),
  Rpc.make("sumOfOwner", { payload: { from: Schema.Int }, success: Schema.Int }),
  Rpc.make("end"),
  Rpc.make("die")
) {}

let living = 0

/** Writes a line into the file of `SOAK_PLACE_NOTES` for each service that is built or has ended. */
const note = (what: "built" | "gone", name: string) =>
  Effect.sync(() => {
    living += what === "built" ? 1 : -1
    appendFileSync(process.env["SOAK_PLACE_NOTES"]!, `${what} ${name} ${process.pid}\n`)
  })

/** A service that adds numbers. Its finalizer takes that many milliseconds. */
export const tally = Flame.service(
  "soak/tally",
  { group: Tallying, payload: { name: Schema.String, slow: Schema.Int, fails: Schema.Boolean }, offers: Owner },
  ({ fails, name, slow }, { die, draining, end, owner }) =>
    Tallying.toLayer(
      Effect.gen(function* () {
        yield* Effect.acquireRelease(note("built", name), () => Effect.delay(note("gone", name), slow))
        yield* Effect.forkScoped(Effect.andThen(draining, end))
        // A fiber that only the Scope of the service ends.
        yield* Effect.forkScoped(Effect.forever(Effect.sleep(200)))
        if (fails) return yield* Effect.die(new Error(`${name} cannot be built`))
        const sum = yield* Ref.make(0)
        return Tallying.of({
          add: ({ n }) => Ref.updateAndGet(sum, (_) => _ + n),
          echo: Effect.succeed,
          count: ({ to }) => Stream.range(1, to),
          pour: () => Stream.forever(Stream.sync(() => new Uint8Array(10_000))),
          hold: () => Effect.ensuring(Effect.never, Effect.sleep(slow)),
          askOwner: ({ n }) => Effect.orDie(owner.double({ n })),
          sumOfOwner: ({ from }) =>
            Effect.orDie(
              Stream.runFold(
                owner.down({ from }),
                () => 0,
                (sum: number, n) => sum + n
              )
            ),
          end: () => end,
          die: () => die(new RangeError(name))
        })
      })
    )
)

/** The handlers of the owner. */
export const OwnerLive = Owner.toLayer({
  double: ({ n }) => Effect.succeed(2 * n),
  down: ({ from }) => Stream.fromIterable(Array.from({ length: from }, (_, i) => from - i))
})

/** Counts fibers, handles and files on a runner, after a delay, without those of this call. */
export const census = Flame.fn(
  "soak/census",
  {
    payload: { after: Schema.Int },
    success: Schema.Struct({
      runner: Schema.String,
      services: Schema.Int,
      fibers: Schema.Int,
      handles: Schema.Record(Schema.String, Schema.Int)
    })
  },
  Effect.fnUntraced(function* ({ after }) {
    const { id } = yield* FlameRunner.Current
    yield* Effect.sleep(after)
    return { runner: id, services: living, fibers: fibers.living, handles: handles() }
  })
)

/** Handles that keep this process alive, by kind, without timers. */
export const handles = (): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) {
    if (kind !== "Timeout" && kind !== "Immediate") counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

export const placeFunctions = [tally, census] as const
