/**
 * The code under test: prints invoices on runners, and decides after each failure whether to print again.
 */
import { Context, Effect, Schedule, Schema } from "effect"
import { Flame } from "effect-flame"

/** The printer of a runner. Tests use a mock, because the real printer is slow, costs money and needs a network. */
export class Printer extends Context.Service<
  Printer,
  { readonly print: (text: string) => Effect.Effect<{ readonly pages: number }, NoPaper> }
>()("invoices/Printer") {}

export class NoPaper extends Schema.TaggedError<NoPaper>()("NoPaper", { tray: Schema.Int }) {}

export class Invoice extends Schema.Class<Invoice>("Invoice")({
  number: Schema.Int,
  customer: Schema.String,
  due: Schema.DateFromString,
  cents: Schema.Int.check(Schema.isGreaterThan(0))
}) {}

export const print = Flame.fn(
  "print",
  { payload: { invoice: Invoice }, success: Schema.Int, error: NoPaper, timeout: "1 minute" },
  Effect.fn(function* ({ invoice }) {
    const printer = yield* Printer
    const { customer, due, number } = invoice
    const { pages } = yield* printer.print(`No. ${number} for ${customer}, due ${due.toISOString().slice(0, 10)}`)
    return pages
  })
)

/** The result of printing one invoice. `later`: no page was printed. `to be looked at`: pages may have been printed. */
export type Outcome = "printed" | "to be looked at" | "later"

/**
 * Prints an invoice at most once. An invoice that may have been printed is left to a person.
 *
 * A call that did not run is retried three times, one second apart.
 */
export const printOnce = (invoice: Invoice) =>
  Flame.call(print, { invoice }).pipe(
    Effect.retry({ while: Flame.isRetryable, times: 3, schedule: Schedule.spaced("1 second") }),
    Effect.as<Outcome>("printed"),
    Effect.catchReason("FlameError", "RunnerLost", () => Effect.succeed<Outcome>("to be looked at")),
    // A call that was running at its timeout may have printed before it was stopped.
    Effect.catchReason("FlameError", "TimedOut", ({ phase }) =>
      Effect.succeed<Outcome>(phase === "running" ? "to be looked at" : "later")
    )
  )
