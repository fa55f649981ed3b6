/** Foreign code that throws at random: tracers, loggers, hooks, readers, codecs, and the sending of a frame. */
import * as Effect from "effect/Effect"
import { Kind } from "../../../../src/wire/Frame.ts"
import { Link } from "../../../../src/wire/Link.ts"
import type * as Random from "../../../simulation/Random.ts"

/** An error that foreign code has thrown. */
export class Thrown extends Error {
  override readonly name = "Thrown"

  constructor(by: string) {
    super(`thrown by ${by}`)
  }
}

/** Whether the text of an error shows that foreign code has thrown it. */
export const isThrown = (error: unknown): boolean => String(error).includes("thrown by ")

/** Decides when foreign code throws. */
export class Chaos {
  private readonly random: Random.Random
  /** The probability that foreign code throws. */
  rate = 0
  private hasJustThrown = false

  constructor(random: Random.Random) {
    this.random = random
  }

  /** Throws at random, but never twice one after the other: an answer about a throw must get through. */
  readonly foreign = (by: string): void => {
    if (this.rate === 0) return
    const throws = !this.hasJustThrown && this.random() < this.rate
    this.hasJustThrown = throws
    if (throws) throw new Thrown(by)
  }

  /** Runs an effect in which `Link.send` of both sides throws at random, as for a detached buffer. */
  whileSendThrows<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const { send } = Link.prototype
    const { foreign } = this
    return Effect.acquireUseRelease(
      Effect.sync(() => {
        Link.prototype.send = function (kind, id, head, payload, lost) {
          if (payloads.has(kind)) foreign("link.send")
          return send.call(this, kind, id, head, payload, lost)
        }
      }),
      () => effect,
      () =>
        Effect.sync(() => {
          Link.prototype.send = send
        })
    )
  }
}

/** Frames that carry bytes of a program. */
const payloads = new Set<number>([Kind.Request, Kind.Success, Kind.Failure, Kind.Defect, Kind.Nested])

/** Runs an effect while uncaught exceptions are collected here instead of failing the test run. */
export const collectingUncaught = <A, E, R>(
  use: (uncaught: ReadonlyArray<unknown>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const others = process.listeners("uncaughtException")
      const uncaught: Array<unknown> = []
      process.removeAllListeners("uncaughtException")
      process.on("uncaughtException", (error) => uncaught.push(error))
      return { others, uncaught }
    }),
    ({ uncaught }) => use(uncaught),
    ({ others }) =>
      Effect.sync(() => {
        process.removeAllListeners("uncaughtException")
        for (const listener of others) process.on("uncaughtException", listener)
      })
  )
