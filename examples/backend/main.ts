/**
 * Counts primes on runners that a command starts: `node examples/backend/main.ts nice -n 10`.
 *
 * The arguments stand in front of `node` on the command line of each runner. The command has to pass its environment on, as
 * `nice`, `taskset` and `systemd-run --scope` do. Without arguments a runner is a plain process that dials back.
 *
 * After `--sync` runners get the code of this program from this process, and the command may lead to a place that has
 * nothing but Node: `node examples/backend/main.ts --sync chroot /srv/only-node`.
 */
import { getPriority } from "node:os"
import { fileURLToPath } from "node:url"
import { Effect, Layer, Schema } from "effect"
import { Flame, Pool } from "effect-flame"
import * as CommandBackend from "./CommandBackend.ts"

const main = fileURLToPath(import.meta.url)
const [first, ...others] = process.argv.slice(2)
const isSynced = first === "--sync"
const before = isSynced || first === undefined ? others : [first, ...others]

const Counted = Schema.Struct({ primes: Schema.Int, priority: Schema.Int })

const isPrime = (n: number): boolean => {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false
  return n > 1
}

const count = Flame.fn("count", { payload: { from: Schema.Int, to: Schema.Int }, success: Counted }, ({ from, to }) =>
  Effect.sync(() => {
    let primes = 0
    for (let n = from; n < to; n++) if (isPrime(n)) primes++
    return { primes, priority: getPriority() }
  })
)

const app = Effect.gen(function* () {
  const parts = yield* Effect.forEach(
    [0, 1, 2, 3],
    (n) => Flame.call(count, { from: n * 50_000, to: (n + 1) * 50_000 }),
    {
      concurrency: "unbounded"
    }
  )
  const primes = parts.reduce((sum, part) => sum + part.primes, 0)
  const priorities = new Set(parts.map(({ priority }) => priority))
  yield* Effect.sync(() =>
    console.log(`${primes} primes below 200000, by runners of priority ${[...priorities].join()}`)
  )
})

Flame.main({
  functions: [count],
  app,
  flame: Pool.layer({ max: 2 }).pipe(
    Layer.provideMerge(
      CommandBackend.layer({
        ...(isSynced ? { code: "sync" } : {}),
        command: (_variables, nodeArguments) => {
          const [file = process.execPath, ...args] = before
          const program = isSynced ? nodeArguments : [main]
          return before.length === 0 ? [file, ...program] : [file, ...args, process.execPath, ...program]
        }
      })
    )
  )
}).pipe(Flame.runMain)
