/** The runner program of the soak. Each mark is a line of the file that `SOAK_MARKS` names. */
import { appendFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { Flame, FlameRunner } from "../../src/index.ts"
import * as Functions from "./Functions.ts"

const note = (what: "began" | "ended", nonce: number, runner: string): void =>
  appendFileSync(process.env["SOAK_MARKS"]!, `${what} ${nonce} ${runner} ${Date.now()}\n`)

const marking = Effect.fnUntraced(function* ({ millis, nonce }: { readonly millis: number; readonly nonce: number }) {
  const { id } = yield* FlameRunner.Current
  yield* Effect.acquireRelease(
    Effect.sync(() => note("began", nonce, id)),
    () =>
      Effect.delay(
        Effect.sync(() => note("ended", nonce, id)),
        nonce % 30
      )
  )
  yield* Effect.sleep(millis)
  return nonce
})

const bytesOf = (nonce: number, size: number): Uint8Array => {
  const bytes = Buffer.allocUnsafe(size)
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32BE(nonce, at)
  return bytes
}

FlameRunner.serve([
  Flame.implement(Functions.echo, Effect.succeed),
  Flame.implement(Functions.wait, ({ millis, nonce }) => Effect.delay(Effect.succeed(nonce), millis)),
  Flame.implement(Functions.compute, ({ millis, nonce }) =>
    Effect.sync(() => {
      const end = performance.now() + millis
      while (performance.now() < end);
      return nonce
    })
  ),
  Flame.implement(Functions.mirror, Effect.succeed),
  Flame.implement(Functions.carry, Effect.succeed),
  Flame.implement(Functions.give, ({ nonce, size }) => Effect.sync(() => bytesOf(nonce, size))),
  Flame.implement(Functions.refuse, ({ nonce }) => Effect.fail(new Functions.Refusal({ nonce }))),
  Flame.implement(Functions.die, ({ nonce }) => Effect.die(new Error(`call ${nonce} dies`))),
  Flame.implement(Functions.never, () => Effect.never),
  Flame.implement(Functions.leave, ({ how }) =>
    Effect.sync(() => {
      if (how === "exit") process.exit(3)
      process.kill(process.pid, "SIGHUP")
    })
  ),
  Flame.implement(Functions.mark, marking),
  Flame.implement(Functions.markAgain, marking),
  Flame.implement(
    Functions.where,
    Effect.fnUntraced(function* () {
      const { id } = yield* FlameRunner.Current
      globalThis.gc?.()
      return { runner: id, heap: process.memoryUsage().heapUsed }
    })
  )
]).pipe(Flame.runMain)
