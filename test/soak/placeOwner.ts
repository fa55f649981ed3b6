/** An owner in a process of its own: places that many services, reports them, and waits to be killed. */
import { Effect, Layer, Logger, Schedule, Stream } from "effect"
import { Flame, FlameLayer } from "../../src/index.ts"
import { OwnerLive, tally } from "./PlaceServices.ts"

const [name, count] = [process.argv[2]!, Number(process.argv[3])]

const one = (index: number) =>
  Effect.gen(function* () {
    const client = yield* Flame.place(tally, { name: `${name}/${index}`, slow: index % 50, fails: false })
    yield* Effect.forkScoped(Effect.repeat(client.askOwner({ n: index }), Schedule.spaced(50)))
    yield* Effect.forkScoped(Stream.runForEach(client.pour(), () => Effect.sleep(5)))
  })

Effect.forEach(
  Array.from({ length: count }, (_, index) => index),
  one,
  { concurrency: "unbounded" }
).pipe(
  Effect.andThen(Effect.sync(() => console.log("placed"))),
  Effect.andThen(Effect.never),
  Effect.scoped,
  Effect.provide(
    Layer.merge(
      FlameLayer.local({
        max: 2,
        concurrency: Math.ceil(count / 2),
        cancelGrace: 2_000,
        entry: new URL("./placeRunner.ts", import.meta.url)
      }),
      OwnerLive
    )
  ),
  Effect.provide(Logger.layer([])),
  Flame.runMain
)
