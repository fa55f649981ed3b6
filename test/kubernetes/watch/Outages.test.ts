import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import { type Outage, Outages } from "../../../src/kubernetes/watch/Outages.ts"
import * as PodWatch from "../../../src/kubernetes/watch/PodWatch.ts"
import { FakeApi, unreachable } from "../kit/FakeApi.ts"

/** A watch, its log, and the outages that it reports. */
const watching = Effect.gen(function* () {
  const api = new FakeApi()
  const texts: Array<string> = []
  const told: Array<Outage> = []
  const outages = new Outages("https://fake")
  outages.listen((outage) => told.push(outage))
  const logger = Logger.layer([Logger.make(({ message }) => void texts.push(String(message)))])
  yield* PodWatch.make({ selector: "flame.dev/role=runner", outages }).pipe(Effect.provide([api.layer, logger]))
  yield* TestClock.adjust(0)
  return { api, texts, told }
})

const away = (api: FakeApi) => {
  api.down = unreachable
  api.cut(unreachable)
}

describe("an outage of the API server", () => {
  it.effect("is logged and reported once when it begins and once when it ends [C167]", () =>
    Effect.gen(function* () {
      const { api, texts, told } = yield* watching
      for (let count = 1; count <= 2; count++) {
        away(api)
        yield* TestClock.adjust("1 hour")
        assert.lengthOf(texts, 2 * count - 1)
        assert.match(texts.at(-1) ?? "", /API at https:\/\/fake has not answered for \d+ s \(connect ECONNREFUSED\)/)
        api.down = undefined
        yield* TestClock.adjust("6 minutes")
        assert.lengthOf(texts, 2 * count)
        assert.match(texts.at(-1) ?? "", /answers again after 360\d s/)
      }
      assert.deepStrictEqual(
        told.map(({ _tag }) => _tag),
        ["Began", "Ended", "Began", "Ended"]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("begins after 5 s and is known within 10 s; a break of 3 s does not count [C167]", () =>
    Effect.gen(function* () {
      const { api, told } = yield* watching
      away(api)
      yield* TestClock.adjust("3 seconds")
      api.down = undefined
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(told, [])
      away(api)
      yield* TestClock.adjust("4900 millis")
      assert.deepStrictEqual(told, [])
      yield* TestClock.adjust("5100 millis")
      assert.lengthOf(told, 1)
    }).pipe(Effect.scoped)
  )
})
