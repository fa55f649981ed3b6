/** The body of a watch, line by line, with backpressure and a bound on silence. */
import type { IncomingMessage } from "node:http"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Stream from "effect/Stream"
import { spoken } from "../../time/Spoken.ts"
import { type Asked, broken, noAnswer } from "./KubeAnswer.ts"
import type { KubeError } from "./KubeError.ts"

/** Bounds of one body. */
export interface LineLimits {
  /** The address of the API server, for messages. */
  readonly server: string
  /** Longest time without a byte. Milliseconds. */
  readonly silence: number
  /** Bytes of one line, at most. */
  readonly maxLine: number
}

const newline = 10

/** Cuts bytes into lines. */
export class Lines {
  private rest: Array<Buffer> = []
  /** Bytes of the line that has not ended yet. */
  size = 0

  /** The lines that end in this chunk, without their ends. Empty lines are left out. */
  push(chunk: Buffer): Array<string> {
    const lines: Array<string> = []
    let from = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      this.rest.push(chunk.subarray(from, end))
      const line = Buffer.concat(this.rest).toString()
      if (line.trim() !== "") lines.push(line)
      this.rest = []
      this.size = 0
      from = end + 1
    }
    if (from < chunk.length) {
      this.rest.push(chunk.subarray(from))
      this.size += chunk.length - from
    }
    return lines
  }
}

/**
 * The JSON of each line; the stream ends with the body.
 *
 * Fails with `Unreachable` if the connection breaks, `TimedOut` after `silence`, `Garbled` for a line that is not JSON or
 * ends in its middle, and `TooLarge` for a line over `maxLine`.
 */
export const json = <A>(
  asked: Asked,
  body: IncomingMessage,
  { maxLine, server, silence }: LineLimits
): Stream.Stream<A, KubeError> => {
  const lines = new Lines()
  const garbled = (detail: string) => Effect.fail(noAnswer(asked, "Garbled", detail, true))

  /** The next bytes; undefined at the end. */
  const chunk = Effect.callback<Buffer | undefined, KubeError>((resume) => {
    const settle = (result: Effect.Effect<Buffer | undefined, KubeError>) => {
      clear()
      resume(result)
    }
    const look = () => {
      const bytes = body.read() as Buffer | null
      if (bytes !== null) settle(Effect.succeed(bytes))
      else if (body.readableEnded) settle(Effect.succeed(undefined))
      else if (body.errored !== null) settle(Effect.fail(broken(asked, server, body.errored)))
      else if (body.destroyed)
        settle(Effect.fail(noAnswer(asked, "Unreachable", `${server}: the connection broke`, true, server)))
    }
    const clear = () => {
      for (const event of ["readable", "end", "error", "close"]) body.removeListener(event, look)
    }
    for (const event of ["readable", "end", "error", "close"]) body.on(event, look)
    look()
    return Effect.sync(clear)
  })

  const quiet = Effect.timeoutOrElse(chunk, {
    duration: silence,
    orElse: () =>
      Effect.fail(noAnswer(asked, "TimedOut", `${server} sent nothing for ${spoken(silence)}`, true, server))
  })

  const pull: Effect.Effect<NonEmptyReadonlyArray<A>, KubeError | Cause.Done> = Effect.gen(function* () {
    for (;;) {
      const bytes = yield* quiet
      if (bytes === undefined) {
        return lines.size > 0 ? yield* garbled("the last line is cut off") : yield* Cause.done()
      }
      const values: Array<A> = []
      for (const line of lines.push(bytes)) {
        try {
          values.push(JSON.parse(line) as A)
        } catch {
          return yield* garbled(`a line is not JSON: ${line.slice(0, 100)}`)
        }
      }
      if (lines.size > maxLine) {
        return yield* Effect.fail(noAnswer(asked, "TooLarge", `a line has more than ${maxLine} bytes`, false))
      }
      if (isNonEmpty(values)) return values
    }
  })
  return Stream.fromPull(Effect.succeed(pull))
}

const isNonEmpty = <A>(values: Array<A>): values is [A, ...Array<A>] => values.length > 0
