import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Logger, Schema } from "effect"
import * as Flame from "../../src/Flame.ts"
import * as FlameLayer from "../../src/FlameLayer.ts"
import { Pool } from "../../src/pool/Pool.ts"
import * as FlameStatus from "../../src/status/FlameStatus.ts"
import * as StatusAddress from "../../src/status/StatusAddress.ts"
import { fixture } from "../fixtures/process/kit.ts"
import { sockets } from "../fixtures/process/status-runner.ts"
import * as StatusApi from "../../src/status/StatusApi.ts"
import * as StatusServer from "../../src/status/StatusServer.ts"
import type { StatusDocument } from "../../src/status/record/StatusDocument.ts"

const nap = Flame.fn("nap", { payload: { millis: Schema.Int } }, ({ millis }) =>
  Effect.andThen(Effect.log("naps"), Effect.sleep(millis))
)

/** A port of 127.0.0.1 that is free now. */
const freePort = Effect.callback<number>((resume) => {
  const probe = Net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address() as Net.AddressInfo
    probe.close(() => resume(Effect.succeed(port)))
  })
})

interface Answer {
  readonly status: number
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

type To = { readonly port: number } | { readonly socketPath: string }

const request = (
  to: To,
  path: string,
  options: Http.RequestOptions = {},
  body?: string
): Effect.Effect<Answer, Error> =>
  Effect.callback((resume) => {
    const sent = Http.request({ host: "127.0.0.1", ...to, path, ...options, agent: false }, (response) => {
      let text = ""
      response.on("data", (chunk: Buffer) => (text += chunk.toString()))
      response.on("end", () =>
        resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
      )
    })
    sent.on("error", (error) => resume(Effect.fail(error)))
    sent.end(body)
  })

const post = (to: To, path: string, body: unknown, headers: Record<string, string> = {}) =>
  request(
    to,
    path,
    { method: "POST", headers: { "content-type": "application/json", "x-flame-action": "1", ...headers } },
    JSON.stringify(body)
  )

/** Reads server-sent events until `isEnough` holds for their text. */
const events = (to: To, path: string, isEnough: (text: string) => boolean): Effect.Effect<string, Error> =>
  Effect.callback((resume) => {
    let text = ""
    const sent = Http.get({ host: "127.0.0.1", ...to, path, agent: false }, (response) => {
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString()
        if (!isEnough(text)) return
        sent.destroy()
        resume(Effect.succeed(text))
      })
    })
    sent.on("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => sent.destroy())
  })

const documentOf = ({ body }: Answer) => JSON.parse(body) as StatusDocument

const withPort = <A, E>(
  options: FlameStatus.StatusOptions,
  body: (to: To & { readonly port: number }) => Effect.Effect<A, E, Pool>,
  pool: FlameLayer.LocalOptions = {}
) =>
  Effect.gen(function* () {
    const port = yield* freePort
    const status = FlameStatus.layer({ socket: false, ...options, port })
    return yield* Effect.provide(body({ port }), Layer.provideMerge(FlameLayer.test([nap], pool), status))
  })

/** Runs an effect with other environment variables. */
const withVariables = <A, E, R>(variables: Record<string, string | undefined>, effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const before = Object.fromEntries(Object.keys(variables).map((name) => [name, process.env[name]]))
      set(variables)
      return before
    }),
    () => effect,
    (before) => Effect.sync(() => set(before))
  )

const set = (variables: Record<string, string | undefined>): void => {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}

const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "flame-status-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

const modeOf = (path: string): string => (Fs.lstatSync(path).mode & 0o777).toString(8)

describe("FlameStatus.layer on a port", () => {
  it.live("serves the document, the page, the schema and log lines, on 127.0.0.1 only [C303]", () =>
    withPort({}, (to) =>
      Effect.gen(function* () {
        yield* Flame.call(nap, { millis: 0 })
        const status = yield* request(to, "/status")
        assert.deepInclude(documentOf(status), { version: 1, actions: false })
        assert.deepInclude(documentOf(status).pools[0]?.functions[0], { name: "nap", calls: 1 })
        assert.match((yield* request(to, "/")).body, /^<!doctype html>/)
        assert.property(JSON.parse((yield* request(to, "/schema")).body), "schema")
        const [line] = (yield* request(to, "/logs?function=nap")).body.trim().split("\n")
        assert.deepInclude(JSON.parse(line!), { level: "Info", function: "nap", message: "naps" })
        assert.strictEqual((yield* request(to, "/logs?function=other")).body, "")
        for (const path of ["/nothing", "//", "/status/x", "/%zz", "/?"]) {
          assert.strictEqual((yield* request(to, path)).status, path === "/?" ? 200 : 404, path)
        }
        const others = Object.values(Os.networkInterfaces())
          .flatMap((all) => all ?? [])
          .filter(({ internal, family }) => !internal && family === "IPv4")
        for (const { address } of others) {
          const error = yield* Effect.flip(request(to, "/status", { host: address }))
          assert.strictEqual((error as NodeJS.ErrnoException).code, "ECONNREFUSED", address)
        }
      })
    )
  )

  it.live("refuses a request for another host, because a page of another site can send a browser here [C303]", () =>
    withPort({}, (to) =>
      Effect.gen(function* () {
        for (const host of ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80"]) {
          assert.strictEqual((yield* request(to, "/status", { headers: { host } })).status, 403, host)
        }
        for (const host of ["localhost:1234", "127.0.0.1", "[::1]:9346"]) {
          assert.strictEqual((yield* request(to, "/status", { headers: { host } })).status, 200, host)
        }
        const { headers } = yield* request(to, "/status")
        assert.isUndefined(headers["access-control-allow-origin"])
      })
    )
  )

  it.live("sends viewers the status at once and each second, and the pool's events [C307]", () =>
    withPort({}, (to) =>
      Effect.gen(function* () {
        const heard = yield* Effect.forkChild(
          events(
            to,
            "/events",
            (text) => text.split("event: status").length > 2 && text.includes('"tag":"RunnerReady"')
          )
        )
        yield* Flame.call(nap, { millis: 0 })
        const text = yield* Fiber.join(heard)
        assert.isTrue(text.startsWith("event: status\ndata: {"))
      })
    )
  )

  it.live("that another process uses causes a warning, and the app goes on [C304]", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const taken = Net.createServer().listen(port, "127.0.0.1")
      const lines: Array<string> = []
      const logger = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
      const layer = Layer.provideMerge(FlameLayer.test([nap]), FlameStatus.layer({ port, socket: false }))
      yield* Flame.call(nap, { millis: 0 }).pipe(Effect.provide(layer), Effect.provide(logger))
      taken.close()
      assert.isTrue(
        lines.some((line) => line.includes(`cannot listen on 127.0.0.1:${port}`) && line.includes("EADDRINUSE"))
      )
    })
  )
})

describe("the actions of FlameStatus", () => {
  it.live("are refused unless `actions` is true [C305]", () =>
    withPort({}, (to) =>
      Effect.gen(function* () {
        const { body, status } = yield* post(to, "/resize", { pool: "effect-flame/Pool", max: 3 })
        assert.strictEqual(status, 403)
        assert.match(body, /read-only/)
        assert.strictEqual((yield* (yield* Pool).status).max, 10)
      })
    )
  )

  it.live("are refused without the header, which a page of another site cannot send [C305]", () =>
    withPort({ actions: true }, (to) =>
      Effect.gen(function* () {
        const wanted = { pool: "effect-flame/Pool", max: 3 }
        assert.strictEqual((yield* post(to, "/resize", wanted, { "x-flame-action": "0" })).status, 403)
        assert.strictEqual((yield* post(to, "/resize", wanted, { "content-type": "text/plain" })).status, 403)
        assert.strictEqual((yield* request(to, "/resize")).status, 405)
        assert.strictEqual((yield* (yield* Pool).status).max, 10)
      })
    )
  )

  it.live("resize a pool, or say why they cannot [C305]", () =>
    withPort({ actions: true }, (to) =>
      Effect.gen(function* () {
        assert.isTrue(documentOf(yield* request(to, "/status")).actions)
        const pool = yield* Pool
        assert.strictEqual((yield* post(to, "/resize", { pool: pool.id, min: 1, max: 3 })).status, 200)
        assert.deepInclude(yield* pool.status, { min: 1, max: 3 })
        const wrong: ReadonlyArray<readonly [body: unknown, status: number, why: RegExp]> = [
          [{ pool: "app/None", max: 1 }, 404, /no pool "app\/None"/],
          [{ pool: pool.id }, 400, /one of min, max and concurrency/],
          [{ pool: pool.id, max: "3" }, 400, /numbers/],
          [{ pool: pool.id, max: 0 }, 400, /max must be a whole number/],
          [{ pool: pool.id, min: 9 }, 400, /min \(9\) is above max \(3\)/],
          [[], 400, /expected/]
        ]
        for (const [body, status, why] of wrong) {
          const answer = yield* post(to, "/resize", body)
          assert.strictEqual(answer.status, status, JSON.stringify(body))
          assert.match(answer.body.replaceAll("\\", ""), why)
        }
        assert.deepInclude(yield* pool.status, { min: 1, max: 3 })
      })
    )
  )

  it.live("drain a runner, which is not lost, and the next call has another runner [C305]", () =>
    withPort({ actions: true }, (to) =>
      Effect.gen(function* () {
        yield* Flame.call(nap, { millis: 0 })
        const idOf = (answer: Answer) => documentOf(answer).pools[0]!.runners.map(({ id }) => id)
        const [runner] = idOf(yield* request(to, "/status"))
        assert.strictEqual((yield* post(to, "/drain", { runner: "nobody" })).status, 404)
        assert.strictEqual((yield* post(to, "/drain", { runner })).status, 200)
        yield* Flame.call(nap, { millis: 0 })
        const later = idOf(yield* request(to, "/status"))
        assert.isTrue(later.some((id) => id !== runner))
        const { totals } = yield* (yield* Pool).status
        assert.deepInclude(totals, { runnersLost: 0, succeeded: 2 })
      })
    )
  )
})

describe("FlameStatus.layer on a socket", () => {
  it.live("listens with mode 0600 in a directory of mode 0700, and leaves nothing [C306]", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* folder
        yield* withVariables(
          { XDG_RUNTIME_DIR: root, KUBERNETES_SERVICE_HOST: undefined },
          Effect.gen(function* () {
            const own = () => StatusAddress.sockets().filter((path) => path.startsWith(root))
            yield* Effect.gen(function* () {
              const [socketPath] = own()
              assert.strictEqual(modeOf(socketPath!), "600")
              assert.strictEqual(modeOf(Path.dirname(socketPath!)), "700")
              assert.strictEqual(
                documentOf(yield* request({ socketPath: socketPath! }, "/status")).parent.pid,
                process.pid
              )
            }).pipe(Effect.provide(Layer.provideMerge(FlameLayer.test([nap]), FlameStatus.layer())))
            assert.deepStrictEqual(own(), [])
          })
        )
      })
    )
  )

  it.live(
    "uses no directory that is a link or that others may enter, and removes sockets of ended parents [C306]",
    () =>
      Effect.scoped(
        Effect.gen(function* () {
          const root = yield* folder
          const directory = Path.join(root, "effect-flame")
          yield* withVariables(
            { XDG_RUNTIME_DIR: root, KUBERNETES_SERVICE_HOST: undefined },
            Effect.gen(function* () {
              Fs.mkdirSync(directory)
              Fs.chmodSync(directory, 0o755)
              assert.isFalse(StatusAddress.ownSocket()?.startsWith(root) === true)
              Fs.rmdirSync(directory)
              Fs.mkdirSync(Path.join(root, "elsewhere"), { mode: 0o700 })
              Fs.symlinkSync(Path.join(root, "elsewhere"), directory)
              assert.isFalse(StatusAddress.ownSocket()?.startsWith(root) === true)
              Fs.rmSync(directory)
              Fs.mkdirSync(directory, { mode: 0o700 })
              // The leftover of a killed parent.
              const stale = Path.join(directory, "1-dead.sock")
              const dead = Net.createServer()
              yield* Effect.callback<void>((resume) => void dead.listen(`${stale}.tmp`, () => resume(Effect.void)))
              Fs.renameSync(`${stale}.tmp`, stale)
              yield* Effect.callback<void>((resume) => void dead.close(() => resume(Effect.void)))
              assert.deepInclude(StatusAddress.sockets(), stale)
              yield* Effect.void.pipe(Effect.provide(FlameStatus.layer()))
              assert.notInclude(StatusAddress.sockets(), stale)
            })
          )
        })
      )
  )
})

describe("FlameStatus.layer in a runner", () => {
  it.live("does nothing, although the runner's program provides the layer [C306]", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const root = yield* folder
        const found = withVariables(
          { XDG_RUNTIME_DIR: root, KUBERNETES_SERVICE_HOST: undefined },
          Effect.provide(Flame.call(sockets), FlameLayer.local({ entry: fixture("status-runner.ts") }))
        )
        assert.deepStrictEqual(
          (yield* found).filter((path) => path.startsWith(root)),
          []
        )
        assert.deepStrictEqual(Fs.readdirSync(root), [])
      })
    )
  )
})

describe("a viewer", () => {
  it.live("that leaves is forgotten, and one that reads nothing is cut off [C307]", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const api = yield* StatusApi.make(false)
        const port = yield* freePort
        yield* StatusServer.listen(api, { port })
        const open = Effect.callback<Net.Socket>((resume) => {
          const socket = Net.connect(port, "127.0.0.1", () => {
            socket.write("GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n")
            resume(Effect.succeed(socket))
          })
          socket.on("error", () => {})
        })
        const until = (viewers: number) =>
          Effect.repeat(Effect.sleep(10), { until: () => api.feed.viewerCount === viewers })
        const leaving = yield* open
        yield* until(1)
        leaving.destroy()
        yield* until(0)
        const deaf = yield* open
        yield* until(1)
        deaf.pause()
        const event = { at: 0, pool: "p", tag: "BootStarted", text: "x".repeat(100_000) } as const
        while (api.feed.viewerCount > 0) {
          for (let n = 0; n < 200; n++) api.feed.event(event)
          yield* Effect.sleep(210)
        }
        deaf.destroy()
      })
    )
  )
})
