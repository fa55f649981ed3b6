/** The minifier, a service of the runners: the parent never loads it. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { BrokenScript } from "./Weigh.ts"

/** Makes scripts smaller. */
export class Minifier extends Context.Service<
  Minifier,
  {
    /** Minifies the source of a file. The file's name tells a module from a script. */
    readonly minify: (file: string, source: string) => Effect.Effect<string, BrokenScript>
  }
>()("weigh/Minifier") {
  /** Oxc, as rolldown ships it. */
  static readonly layer: Layer.Layer<Minifier> = Layer.effect(
    Minifier,
    Effect.map(
      Effect.promise(() => import("rolldown/utils")),
      ({ minifySync }) => ({
        minify: (file, source) =>
          Effect.suspend(() => {
            const { code, errors } = minifySync(file, source)
            const [error] = errors
            return error === undefined
              ? Effect.succeed(code)
              : Effect.fail(new BrokenScript({ file, problem: error.message }))
          })
      })
    )
  )
}
