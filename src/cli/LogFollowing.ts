/** Reads many sources of lines. The end of one source ends no other, and new sources are followed as they appear. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { KubeError } from "../kubernetes/api/KubeError.ts"
import type { Found } from "./Finding.ts"
import type { Line } from "./screen/Logs.ts"
import type { NoStatus } from "./status/StatusSource.ts"
import { printableLine } from "../error/PeerText.ts"
import * as Terminal from "./Terminal.ts"
import { type Source, sourcesOf, type Wanted } from "./LogSources.ts"

/** The time between looks for new parents and runners, and until a source that broke off is opened again. */
const lookEvery = "3 seconds"

const ignored = (): void => {}

/** All lines that exist. A source that fails is named on standard error. Fails if all sources fail. */
export const collect = (sources: ReadonlyArray<Source>): Effect.Effect<ReadonlyArray<Line>, NoStatus | KubeError> =>
  Effect.gen(function* () {
    const lines: Array<Line> = []
    const read = (source: Source) =>
      Effect.result(Stream.runForEach(source.lines(ignored), (line) => Effect.sync(() => void lines.push(line))))
    const results = yield* Effect.forEach(sources, read, { concurrency: "unbounded" })
    const failures = results.flatMap((result, at) =>
      Result.isFailure(result) ? [{ error: result.failure, name: sources[at]!.name }] : []
    )
    const [first] = failures
    if (first !== undefined && failures.length === sources.length && lines.length === 0) {
      return yield* Effect.fail(first.error)
    }
    for (const { error, name } of failures)
      yield* Terminal.hint(printableLine(`lines of ${name} could not be read: ${error.message}`))
    return lines
  })

/** The sources that are followed now. */
class Followed {
  readonly active = new Map<string, Source>()
  /** Sources without any further lines. */
  readonly over = new Set<string>()
  /** Sources that broke off, and have not sent a line since. */
  readonly broken = new Set<string>()
  /** When the latest line of each runner was written, by source. */
  readonly seen = new Map<string, number>()
  /** Whether any source could be opened. */
  hasWorked = false
}

/**
 * Prints lines as they are written, until the command is interrupted. A source that breaks off is named on standard error,
 * and opened again. Lines that were printed already are left out then. Fails if no source can be opened at all.
 */
export const follow = (found: Found, wanted: Wanted, now: number, print: (line: Line) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    const followed = new Followed()
    const nothing = yield* Deferred.make<never, NoStatus | KubeError>()

    const read = (source: Source) => {
      const before = new Map(followed.seen)
      return Stream.runForEach(
        source.lines(() => void (followed.hasWorked = true)),
        (line) => {
          const key = `${source.key} ${line.runner}`
          if (line.at <= (before.get(key) ?? -1)) return Effect.void
          followed.seen.set(key, Math.max(line.at, followed.seen.get(key) ?? 0))
          followed.broken.delete(source.key)
          return print(line)
        }
      )
    }

    const ended = (source: Source, error: NoStatus | KubeError | undefined) =>
      Effect.suspend(() => {
        followed.active.delete(source.key)
        if (error === undefined) {
          if (source.isOver) followed.over.add(source.key)
          // A parent sends lines for as long as it lives. The log of a pod ends with its runner.
          return source.parent === undefined
            ? Effect.void
            : Terminal.hint(printableLine(`lines of ${source.name} have ended`))
        }
        if (!followed.hasWorked && followed.active.size === 0) return Deferred.fail(nothing, error)
        if (followed.broken.has(source.key)) return Effect.void
        followed.broken.add(source.key)
        return Terminal.hint(printableLine(`lines of ${source.name} broke off: ${error.message}`))
      })

    const start = Effect.fnUntraced(function* (found: Found) {
      const fresh = sourcesOf(found, wanted, now).filter(
        ({ key }) => !followed.active.has(key) && !followed.over.has(key)
      )
      for (const source of fresh) followed.active.set(source.key, source)
      for (const source of fresh) {
        yield* Effect.forkChild(
          Effect.matchEffect(read(source), {
            onFailure: (error) => ended(source, error),
            onSuccess: () => ended(source, undefined)
          })
        )
      }
    })

    const look = Effect.gen(function* () {
      const known = [...followed.active.values()].flatMap(({ parent }) => (parent === undefined ? [] : [parent]))
      const again = yield* Effect.option(found.again(known))
      if (Option.isSome(again)) yield* start(again.value)
    })

    yield* start(found)
    if (followed.active.size === 0) yield* Terminal.hint("no runner is there yet: waiting for one")
    const looking = yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sleep(lookEvery), look)))
    return yield* Effect.ensuring(Deferred.await(nothing), Fiber.interrupt(looking))
  })
