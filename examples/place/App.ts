/** The parent's part: opens the books, lets many callers write at once, and prints the balances. */
import { parseArgs } from "node:util"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Flame } from "effect-flame"
import { flags } from "../runners.ts"
import { ledger } from "./Ledger.ts"

const names = ["ada", "blaise", "carl", "dorothy"]
const callers = 8
const transfers = 250

/** The `i`-th transfer of a caller, the same in every run. */
const order = (caller: number, i: number) => {
  const from = (caller + i) % names.length
  const to = (from + 1 + ((caller * 7 + i) % (names.length - 1))) % names.length
  return { from: names[from]!, to: names[to]!, amount: 1 + ((caller * 31 + i * 17) % 400) }
}

export const app = Effect.gen(function* () {
  const { positionals } = parseArgs({ options: flags, allowPositionals: true })
  const books = yield* Flame.place(ledger, { path: positionals[0] ?? ":memory:" })
  yield* Effect.forEach(names, (name) => books.open({ name, balance: 1_000 }), { discard: true })

  const one = (caller: number) =>
    Effect.forEach(Array.from({ length: transfers }), (_, i) =>
      books.transfer(order(caller, i)).pipe(
        Effect.as(true),
        Effect.catchTag("Overdrawn", () => Effect.succeed(false))
      )
    )
  const done = yield* Effect.forEach(Array.from({ length: callers }), (_, caller) => one(caller), {
    concurrency: "unbounded"
  })
  const made = done.flat().filter((isMade) => isMade).length
  yield* Console.log(`${callers} callers: ${made} transfers made, ${callers * transfers - made} refused`)

  const accounts = yield* Stream.runCollect(books.accounts())
  for (const { balance, name } of accounts) yield* Console.log(`${name} has ${balance}`)
  yield* Console.log(`all have ${accounts.reduce((sum, { balance }) => sum + balance, 0)}`)
  // The end of this Scope closes the database and frees the runner's slot.
}).pipe(Effect.scoped)
