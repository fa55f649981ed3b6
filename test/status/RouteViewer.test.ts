import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import type { HttpServerRequest } from "effect/http"
import * as RouteViewer from "../../src/status/RouteViewer.ts"
import { backlog } from "../../src/status/StatusApi.ts"
import type { Send } from "../../src/status/StatusFeed.ts"

const request = { source: {} } as HttpServerRequest.HttpServerRequest

describe("the stream of a viewer on the app's server", () => {
  it.effect("refuses chunks of a viewer that does not read, and accepts them again once it reads [C319]", () =>
    Effect.gen(function* () {
      const chunk = Buffer.alloc(64 * 1_024)
      let offer: Send = () => false
      let accepted = 0
      const stream = RouteViewer.stream(request, (send) => {
        offer = send
        while (send(chunk)) accepted++
        return () => {}
      })
      const later = yield* stream.pipe(
        Stream.take(1),
        Stream.map(() => offer(chunk)),
        Stream.runCollect
      )
      assert.strictEqual(accepted, backlog / chunk.length + 1)
      assert.deepStrictEqual(later, [true])
    })
  )
})
