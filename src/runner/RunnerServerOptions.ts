/** The options of a `RunnerServer`, and its Hello, which is made of them. */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { RunnerInfo } from "../function/Current.ts"
import type { AnyImplemented } from "../function/FlameFunction.ts"
import { wordsOf } from "../schema/LayoutWords.ts"
import { describer } from "../schema/SchemaLayout.ts"
import { protocol } from "../wire/Frame.ts"
import type { Hello, HelloSteps } from "../wire/Handshake.ts"
import type { Transport } from "../wire/Transport.ts"
import type { LogForward } from "./LogForward.ts"
import type { MetricForward } from "./MetricForward.ts"

export interface RunnerServerOptions {
  readonly transport: Transport
  readonly info: RunnerInfo
  readonly life: string
  readonly build: string
  readonly functions: ReadonlyArray<AnyImplemented>
  /** The services of the functions, and of the runner itself. */
  readonly context: Context.Context<never>
  /** The steps of the boot of this process, read for its Hello. */
  readonly steps?: () => HelloSteps
  /** Forwards the log of that context to the parent. */
  readonly logs?: LogForward
  /** Forwards the metrics of that context to the parent. */
  readonly metrics?: MetricForward
  /** Runs before the goodbye, such as the finalizers of services, whose log would not reach the parent later. */
  readonly leaving?: Effect.Effect<void>
}

/** The introduction of a runner: its name, its build, and the layouts of its functions. */
export const helloOf = ({ build, functions, info, life, steps }: RunnerServerOptions): Hello => ({
  protocol,
  build,
  runner: info.id,
  life,
  functions: functions.map((fn) => [fn.name, fn.layout] as const),
  words: wordsOfAll(functions),
  ...(steps === undefined ? {} : { steps: steps() })
})

/** Characters of the layouts in words that a Hello may have. A refusal of a later function names hashes only. */
const maxWords = 16 * 1024

const wordsOfAll = (functions: ReadonlyArray<AnyImplemented>): ReadonlyArray<ReadonlyArray<string>> => {
  const all: Array<ReadonlyArray<string>> = []
  const describe = describer()
  let size = 0
  for (const fn of functions) {
    const words = wordsOf(fn, describe)
    size += words.reduce((sum, line) => sum + line.length, 0)
    if (size > maxWords) break
    all.push(words)
  }
  return all
}
