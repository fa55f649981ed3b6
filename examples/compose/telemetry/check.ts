/** Receives the traces of both processes as a collector does, and those of the parent as DevTools do. */
import { strict as assert } from "node:assert"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { NodeSocketServer } from "@effect/platform-node"
import { Effect, Logger, Queue } from "effect"
import { DevToolsServer } from "effect/devtools"
import { SocketServer } from "effect/socket"
import { run } from "../run.ts"

interface Span {
  readonly service: string
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
}

const spans: Array<Span> = []
const collector = createServer((request, response) => {
  const chunks: Array<Buffer> = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", () => {
    const body = JSON.parse(Buffer.concat(chunks).toString())
    for (const { resource, scopeSpans } of body.resourceSpans ?? []) {
      const service = resource.attributes.find(({ key }: { key: string }) => key === "service.name").value.stringValue
      for (const scope of scopeSpans) for (const span of scope.spans) spans.push({ ...span, service })
    }
    response.end("{}")
  })
})
await new Promise<void>((resolve) => collector.listen(0, resolve))
const otlp = `http://localhost:${(collector.address() as AddressInfo).port}`

const seen = new Set<string>()
const check = Effect.gen(function* () {
  const server = yield* NodeSocketServer.makeWebSocket({ port: 0 })
  yield* DevToolsServer.run((client) =>
    Effect.forever(
      Effect.map(Queue.take(client.queue), (request) => {
        if (request._tag === "Span") seen.add(request.name)
      })
    )
  ).pipe(Effect.provideService(SocketServer.SocketServer, server), Effect.forkScoped)
  const port = "port" in server.address ? server.address.port : 0
  yield* Effect.promise(() => run("telemetry", [], { OTLP: otlp, DEVTOOLS: `ws://localhost:${port}` }))
})
// the server logs that the program has left
await Effect.runPromise(Effect.scoped(check).pipe(Effect.provide(Logger.layer([]))))
collector.close()

const span = (service: string, name: string): Span => {
  const found = spans.find((each) => each.service === service && each.name === name)
  assert.ok(found, `no span ${name} of ${service} among ${spans.map((each) => each.name).join(", ")}`)
  return found
}
const report = span("words", "report")
const call = span("words", "Flame.call")
const inner = span("words-runner", "countWords.run")
assert.deepEqual([call.parentSpanId, inner.parentSpanId], [report.spanId, call.spanId])
assert.equal(inner.traceId, report.traceId)
console.log("ok: one trace spans the parent and the runner")
assert.ok(seen.has("report") && seen.has("Flame.call"), `DevTools saw ${[...seen].join(", ")}`)
console.log("ok: DevTools see the calls of the parent")
