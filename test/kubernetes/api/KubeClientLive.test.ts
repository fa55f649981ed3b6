import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Stream } from "effect"
import { TestClock } from "effect/testing"
import { readFileSync, utimesSync } from "node:fs"
import { createServer } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import * as InCluster from "../../../src/kubernetes/api/InCluster.ts"
import type { Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import type { KubeClient } from "../../../src/kubernetes/api/KubeClient.ts"
import * as KubeFailure from "../../../src/kubernetes/verdict/KubeFailure.ts"
import * as KubeDiscovery from "../../../src/kubernetes/api/KubeDiscovery.ts"
import * as KubeHttp from "../../../src/kubernetes/api/KubeHttp.ts"
import * as KubeLines from "../../../src/kubernetes/api/KubeLines.ts"
import * as KubeClientLive from "../../../src/kubernetes/api/KubeClientLive.ts"
import * as ApiProxy from "../../cluster/kit/ApiProxy.ts"
import { ApiServer, reply, variables } from "../kit/ApiServer.ts"

const refuse = (code: number, reason: string, message = reason) => ({ code, reason, message })

const list = { metadata: { resourceVersion: "7" }, items: [] }

/** Waits until a condition holds, by the real clock. */
const until = (isSo: () => boolean) =>
  Effect.promise(async () => {
    const end = performance.now() + 10_000
    while (!isSo()) {
      if (performance.now() > end) throw new Error("it did not become so")
      await new Promise((next) => setTimeout(next, 5))
    }
  })

/** A token that holds its number. */
const token = (number: number): string => {
  const claims = {
    sub: "system:serviceaccount:apps:parent",
    number,
    "kubernetes.io": { namespace: "apps", pod: { name: "web-1", uid: "u-1" } }
  }
  return `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`
}

/** A server, and a client as in a pod. */
const inPod = (options: KubeClientLive.Options = {}) =>
  Effect.gen(function* () {
    const api = yield* ApiServer.make
    api.write("token", token(1))
    api.write("ca.crt", api.authority)
    api.write("namespace", "apps\n")
    yield* variables({
      KUBECONFIG: undefined,
      KUBERNETES_SERVICE_HOST: "localhost",
      KUBERNETES_SERVICE_PORT: `${api.port}`
    })
    const kube = yield* KubeClientLive.make({ serviceAccount: api.folder, ...options })
    return { api, kube }
  })

const byKubeconfig = (user: unknown, options: KubeClientLive.Options = {}, cluster: unknown = {}) =>
  Effect.gen(function* () {
    const api = yield* ApiServer.make
    const kube = yield* KubeClientLive.make({ kubeconfig: api.kubeconfig(user, { cluster }), ...options })
    return { api, kube }
  })

/** A proxy for CONNECT that leads each tunnel to `port` of this machine, or to the address that the client asks for. */
const proxyTo = (to?: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const tunnels: Array<string> = []
      const open = new Set<Duplex>()
      const server = createServer()
      server.on("connect", ({ headers, url = "" }, socket: Duplex) => {
        tunnels.push(url)
        if (headers["proxy-authorization"] === `Basic ${Buffer.from("nobody:").toString("base64")}`) {
          return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        }
        const { hostname, port } = new URL(`http://${url}`)
        const there = connect(to ?? Number(port), to === undefined ? hostname : "127.0.0.1", () =>
          socket.write("HTTP/1.1 200 OK\r\n\r\n")
        )
        for (const end of [there, socket]) {
          open.add(end)
          end.on("error", () => {})
        }
        there.pipe(socket).pipe(there)
      })
      await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
      return { tunnels, open, server, port: (server.address() as AddressInfo).port }
    }),
    ({ open, server }) =>
      Effect.sync(() => {
        server.close()
        for (const socket of open) socket.destroy()
      })
  )

const pod: Pod = {
  metadata: { name: "a", annotations: { "flame.dev/life": "life", "flame.dev/runner": "a" } },
  spec: { containers: [{ name: "main" }] }
}

describe("the access to the API server", () => {
  it.effect("uses the service account of the pod, and the pod's name in its token", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      api.answer = (_asked, response) => reply(response, 200, list)
      yield* kube.listPods("a=b")
      assert.strictEqual(kube.server, `https://localhost:${api.port}`)
      assert.strictEqual(kube.namespace, "apps")
      assert.strictEqual(kube.user, "system:serviceaccount:apps:parent")
      assert.deepStrictEqual(kube.self, { namespace: "apps", name: "web-1", uid: "u-1" })
      const [asked] = api.asked
      assert.strictEqual(asked?.path, "/api/v1/namespaces/apps/pods?labelSelector=a%3Db&resourceVersion=0")
      assert.strictEqual(asked?.headers.authorization, `Bearer ${token(1)}`)
      const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string }
      assert.strictEqual(asked?.headers["user-agent"], `effect-flame/${version} (pod apps/web-1)`)
    })
  )

  it.effect("puts brackets around an IPv6 address", () =>
    Effect.gen(function* () {
      const api = yield* ApiServer.make
      api.write("token", token(1))
      api.write("ca.crt", api.authority)
      yield* variables({ KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" })
      const account = InCluster.find(api.folder)
      assert.strictEqual(account.found && account.server, "https://[fd00::1]:443")
    })
  )

  it.effect("fails with all places that were looked at if none has credentials", () =>
    Effect.gen(function* () {
      const api = yield* ApiServer.make
      yield* variables({ KUBECONFIG: undefined, KUBERNETES_SERVICE_HOST: undefined, HOME: api.folder })
      const find = (options: KubeClientLive.Options = {}) =>
        Effect.map(Effect.flip(Effect.scoped(KubeClientLive.make(options))), ({ message }) => message)
      assert.strictEqual(
        yield* find(),
        `no way to a Kubernetes API server: KUBECONFIG is not set; KUBERNETES_SERVICE_HOST is not set, so this process is not in a pod; there is no ${api.folder}/.kube/config`
      )
      yield* variables({ KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBECONFIG: "/nowhere" })
      const inPod = yield* find({ serviceAccount: api.folder })
      assert.include(inPod, "KUBECONFIG names /nowhere, which cannot be read")
      assert.include(inPod, `this pod has no ${api.folder}/token (is automountServiceAccountToken false`)
      assert.include(yield* find({ kubeconfig: "/nowhere" }), "the kubeconfig /nowhere cannot be read")
      const kubeconfig = api.kubeconfig({})
      assert.include(yield* find({ kubeconfig, context: "other" }), "has no context other (it has it)")
      assert.include(yield* find({ kubeconfig: api.write("bad", "{") }), "/bad cannot be read")
    })
  )

  it.effect("reads a replaced token after a minute, or as soon as the old one is rejected", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      let valid = 1
      api.answer = ({ headers }, response) => {
        const isValid = headers.authorization === `Bearer ${token(valid)}`
        reply(response, isValid ? 200 : 401, isValid ? list : refuse(401, "Unauthorized"))
      }
      const numbers = () =>
        api.asked.map(({ headers }) => [1, 2, 3].find((n) => headers.authorization?.includes(token(n))))
      yield* kube.listPods("a")
      api.write("token", token(2))
      yield* TestClock.adjust("59 seconds")
      yield* kube.listPods("a")
      valid = 2
      yield* TestClock.adjust("1 second")
      yield* kube.listPods("a")
      assert.deepStrictEqual(numbers(), [1, 1, 2])
      api.write("token", token(3))
      valid = 3
      yield* kube.listPods("a")
      assert.deepStrictEqual(numbers(), [1, 1, 2, 2, 3])
      valid = 0
      const error = yield* Effect.flip(kube.listPods("a"))
      assert.deepInclude(error, { status: 401, reason: "Unauthorized", retryable: false })
      assert.lengthOf(api.asked, 7)
    })
  )

  it.effect("trusts a replaced certificate authority", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      const right = readFileSync(join(api.folder, "ca.crt"), "utf8")
      api.answer = (_asked, response) => reply(response, 200, list)
      api.write("ca.crt", ApiProxy.certificate("localhost").cert)
      // Some file systems cannot distinguish writes within a millisecond.
      utimesSync(join(api.folder, "ca.crt"), 1, 1)
      yield* TestClock.adjust("1 minute")
      assert.deepInclude(yield* Effect.flip(kube.listPods("a")), { reason: "Untrusted", retryable: false })
      api.write("ca.crt", right)
      yield* kube.listPods("a")
    })
  )

  it.live("uses a kubeconfig with a token and the server name for TLS", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* byKubeconfig({ token: "secret" })
      api.answer = (_asked, response) => reply(response, 200, pod)
      assert.strictEqual((yield* kube.getPod("a")).metadata.name, "a")
      assert.deepInclude(kube, { namespace: "apps", user: "me", self: undefined })
      assert.strictEqual(api.asked[0]?.headers.authorization, "Bearer secret")
    })
  )

  it.live("uses a kubeconfig with a token file, and reads the file again once the token is rejected", () =>
    Effect.gen(function* () {
      const api = yield* ApiServer.make
      api.write("mine", "one\n")
      let valid = "Bearer one"
      api.answer = ({ headers }, response) =>
        headers.authorization === valid ? reply(response, 200, pod) : reply(response, 401, refuse(401, "Unauthorized"))
      const kube = yield* KubeClientLive.make({ kubeconfig: api.kubeconfig({ tokenFile: "mine" }) })
      yield* kube.getPod("a")
      valid = "Bearer two"
      api.write("mine", "two\n")
      yield* kube.getPod("a")
      assert.deepStrictEqual(kube.requests(), { "get pods": 3 })
    })
  )

  it.live("uses a kubeconfig with a proxy, over few connections", () =>
    Effect.gen(function* () {
      const { port, tunnels } = yield* proxyTo()
      const api = yield* ApiServer.make
      api.answer = (_asked, response) => reply(response, 200, pod)
      const kubeconfig = api.kubeconfig({ token: "secret" }, { cluster: { "proxy-url": `http://127.0.0.1:${port}` } })
      yield* Effect.scoped(
        Effect.gen(function* () {
          const kube = yield* KubeClientLive.make({ kubeconfig })
          for (let index = 0; index < 5; index++) yield* kube.getPod("a")
        })
      )
      assert.deepStrictEqual(tunnels, [`127.0.0.1:${api.port}`])
      assert.strictEqual(api.connections, 1)
      yield* until(() => api.sockets.size === 0)
    })
  )

  it.live("from a pod goes through HTTPS_PROXY, over few connections, as NO_PROXY allows [C142]", () =>
    Effect.gen(function* () {
      const api = yield* ApiServer.named("api.test")
      api.answer = (_asked, response) => reply(response, 200, list)
      api.write("token", token(1))
      api.write("ca.crt", api.authority)
      const { port, tunnels } = yield* proxyTo(api.port)
      yield* variables({
        KUBECONFIG: undefined,
        KUBERNETES_SERVICE_HOST: "api.test",
        KUBERNETES_SERVICE_PORT: "443",
        HTTPS_PROXY: `http://user:secret@127.0.0.1:${port}`
      })
      const kube = yield* KubeClientLive.make({ serviceAccount: api.folder })
      for (let index = 0; index < 5; index++) yield* kube.listPods("a=b")
      // A request may start before the connection of the previous request is free again.
      assert.isAtMost(tunnels.length, 2)
      assert.lengthOf(new Set([...tunnels, "api.test:443"]), 1)
      api.answer = (_asked, response) => response.end(`${JSON.stringify({ type: "ADDED", object: pod })}\n`)
      assert.lengthOf(yield* watching(kube), 1)

      yield* variables({ NO_PROXY: "other.test, .test" })
      const direct = yield* KubeClientLive.make({ serviceAccount: api.folder, retryFor: "100 millis" })
      assert.include((yield* Effect.flip(direct.listPods("a=b"))).detail, "ENOTFOUND api.test")

      yield* variables({ NO_PROXY: undefined, HTTPS_PROXY: `http://nobody@127.0.0.1:${port}` })
      const refused = yield* KubeClientLive.make({ serviceAccount: api.folder, retryFor: "100 millis" })
      assert.match(
        (yield* Effect.flip(refused.listPods("a=b"))).detail,
        /the proxy 127\.0\.0\.1:\d+ answered 407 .* to CONNECT api\.test:443/
      )
      yield* variables({ HTTPS_PROXY: "socks5://127.0.0.1:1" })
      assert.include(
        (yield* Effect.flip(KubeClientLive.make({ serviceAccount: api.folder }))).message,
        "the proxy socks5://127.0.0.1:1 for https://api.test:443 is not an HTTP proxy"
      )
    })
  )

  it.live("by a kubeconfig goes through HTTPS_PROXY too, unless the kubeconfig names a proxy [C142]", () =>
    Effect.gen(function* () {
      const api = yield* ApiServer.named("api.test")
      api.answer = (_asked, response) => reply(response, 200, pod)
      const env = yield* proxyTo(api.port)
      const own = yield* proxyTo(api.port)
      yield* variables({ HTTPS_PROXY: `127.0.0.1:${env.port}` })
      const cluster = { server: "https://api.test:6443", "tls-server-name": "api.test" }
      const byEnv = yield* KubeClientLive.make({ kubeconfig: api.kubeconfig({ token: "x" }, { cluster }) })
      yield* byEnv.getPod("a")
      const named = { ...cluster, "proxy-url": `http://127.0.0.1:${own.port}` }
      const byFile = yield* KubeClientLive.make({ kubeconfig: api.kubeconfig({ token: "x" }, { cluster: named }) })
      yield* byFile.getPod("a")
      assert.deepStrictEqual([env.tunnels, own.tunnels], [["api.test:6443"], ["api.test:6443"]])
    })
  )

  it.live("accepts a certificate with a wrong name only if the kubeconfig skips verification", () =>
    Effect.gen(function* () {
      const wrong = { "tls-server-name": "elsewhere" }
      const strict = yield* byKubeconfig({ token: "secret" }, {}, wrong)
      assert.strictEqual((yield* Effect.flip(strict.kube.getPod("a"))).reason, "Untrusted")
      const lax = yield* byKubeconfig({}, {}, { ...wrong, "insecure-skip-tls-verify": true })
      lax.api.answer = (_asked, response) => reply(response, 200, pod)
      yield* lax.kube.getPod("a")
    })
  )

  it.live("runs an exec plugin once for all, and again when its credentials are rejected or expired", () =>
    Effect.gen(function* () {
      const api = yield* ApiServer.make
      const runs = () => readFileSync(join(api.folder, "runs"), "utf8").length
      api.write("runs", "")
      api.write("expires", "2999-01-01T00:00:00Z")
      const plugin = api.write(
        "plugin.cjs",
        `const fs = require("node:fs"), at = (name) => require("node:path").join(${JSON.stringify(api.folder)}, name)
         fs.appendFileSync(at("runs"), "x")
         const token = "run-" + fs.readFileSync(at("runs"), "utf8").length
         const expirationTimestamp = fs.readFileSync(at("expires"), "utf8")
         console.log(JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token, expirationTimestamp } }))`
      )
      const exec = { apiVersion: "client.authentication.k8s.io/v1", command: process.execPath, args: [plugin] }
      const kube = yield* KubeClientLive.make({ kubeconfig: api.kubeconfig({ exec }) })
      let valid = "Bearer run-1"
      api.answer = ({ headers }, response) =>
        headers.authorization === valid ? reply(response, 200, pod) : reply(response, 401, refuse(401, "Unauthorized"))
      const calls = Effect.all(
        Array.from({ length: 10 }, () => kube.getPod("a")),
        { concurrency: "unbounded" }
      )
      yield* calls
      assert.strictEqual(runs(), 1)
      valid = "Bearer run-2"
      yield* calls
      assert.strictEqual(runs(), 2)
      valid = "Bearer run-3"
      api.write("expires", "2000-01-01T00:00:00Z")
      yield* kube.getPod("a")
      assert.strictEqual(runs(), 3)
      const before = api.asked.length
      valid = "Bearer run-4"
      yield* kube.getPod("a")
      assert.strictEqual(runs(), 4)
      assert.lengthOf(api.asked, before + 1)
      api.write("plugin.cjs", "console.error('log in first'); process.exit(1)")
      const error = yield* Effect.flip(kube.getPod("a"))
      assert.deepInclude(error, { reason: "NoCredentials", retryable: false })
      assert.include(error.detail, "log in first")
    })
  )
})

describe("a call to the API server", () => {
  it.live("shares few connections with a hundred others", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      api.answer = (_asked, response) => reply(response, 200, pod)
      yield* Effect.all(
        Array.from({ length: 100 }, () => kube.getPod("a")),
        { concurrency: "unbounded" }
      )
      assert.isAtMost(api.connections, 8)
      for (let index = 0; index < 20; index++) yield* kube.getPod("a")
      assert.isAtMost(api.connections, 8)
      assert.deepStrictEqual(kube.requests(), { "get pods": 120 })
    })
  )

  it.live("leaves no connection when the client ends", () =>
    Effect.gen(function* () {
      const open = yield* ApiServer.make
      open.answer = (_asked, response) => reply(response, 200, pod)
      yield* Effect.scoped(
        Effect.flatMap(KubeClientLive.make({ kubeconfig: open.kubeconfig({}) }), (kube) => kube.getPod("a"))
      )
      yield* until(() => open.sockets.size === 0)
    })
  )

  it.live("is retried as the server asks: after Retry-After, server errors and broken connections", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      const times: Array<number> = []
      api.answer = (_asked, response, index) => {
        times.push(performance.now())
        if (index === 0) reply(response, 429, refuse(429, "TooManyRequests"), { "retry-after": "1" })
        else if (index === 1) reply(response, 503, refuse(503, "ServiceUnavailable"))
        else if (index === 2) response.socket?.destroy()
        else reply(response, 200, pod)
      }
      yield* kube.getPod("a")
      assert.lengthOf(times, 4)
      assert.isAtLeast(times[1]! - times[0]!, 990)
    })
  )

  it.live("to a server that never answered fails within seconds, with address and cause [C140]", () =>
    Effect.gen(function* () {
      const started = performance.now()
      const at = (server: string, more: KubeClientLive.Options = {}) =>
        Effect.gen(function* () {
          const api = yield* ApiServer.make
          const kubeconfig = api.kubeconfig({ token: "x" }, { cluster: { server, "certificate-authority-data": "" } })
          const kube = yield* KubeClientLive.make({ kubeconfig, ...more })
          const error = yield* Effect.flip(kube.listPods("a=b"))
          assert.isFalse(error.retryable, server)
          return KubeFailure.causeOf(error)
        })
      const untrusted = yield* ApiServer.make
      const servers = ["https://127.0.0.1:1", "https://no-such-host.invalid", `https://localhost:${untrusted.port}`]
      const causes = yield* Effect.forEach(servers, (server) => at(server), { concurrency: 3 })
      assert.deepStrictEqual(
        causes.map((cause) => (cause._tag === "ApiUnreachable" ? [cause.server, cause.reason] : [cause._tag])),
        [
          [servers[0], "ECONNREFUSED"],
          [servers[1], "ENOTFOUND"],
          [servers[2], "DEPTH_ZERO_SELF_SIGNED_CERT"]
        ]
      )
      assert.strictEqual(
        causes[0]?.message,
        "the Kubernetes API at https://127.0.0.1:1 cannot be used (ECONNREFUSED): connect ECONNREFUSED 127.0.0.1:1; start the cluster, or correct its address"
      )
      assert.match(causes[1]?.message ?? "", /getaddrinfo ENOTFOUND no-such-host.invalid; correct the host name/)
      assert.match(causes[2]?.message ?? "", /self-signed certificate.*; correct the certificate authority/)
      // A generous limit: each attempt is given up after 5 s.
      assert.isBelow(performance.now() - started, 15_000)
    })
  )

  it.effect("to a server that accepts connections and never answers fails after 5 s [C140]", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      api.answer = () => {}
      const failing = yield* Effect.forkChild(Effect.flip(kube.listPods("a=b")))
      yield* until(() => api.asked.length === 1)
      yield* TestClock.adjust("5 seconds")
      const cause = KubeFailure.causeOf(yield* Fiber.join(failing))
      assert.strictEqual(
        cause.message,
        `the Kubernetes API at https://localhost:${api.port} cannot be used (TimedOut): https://localhost:${api.port} did not answer within 5 s; correct its address, or open the way there (VPN, firewall, HTTPS_PROXY and NO_PROXY)`
      )
    })
  )

  it.effect("to a server that has answered before is retried for 30 s, as in an outage [C140]", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      api.answer = (_asked, response) => reply(response, 200, list)
      yield* kube.listPods("a=b")
      api.answer = () => {}
      const failing = yield* Effect.forkChild(Effect.flip(kube.listPods("a=b")))
      yield* until(() => api.asked.length === 2)
      yield* TestClock.adjust("15 seconds")
      yield* TestClock.adjust("1 second")
      yield* until(() => api.asked.length === 3)
      assert.isUndefined(failing.pollUnsafe())
      yield* TestClock.adjust("15 seconds")
      const error = yield* Fiber.join(failing)
      assert.isTrue(error.retryable)
      assert.strictEqual(KubeFailure.causeOf(error)._tag, "ApiUnavailable")
    })
  )

  it.live("with rejected credentials fails with a message of its own [C141]", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      api.answer = (_asked, response) => reply(response, 401, refuse(401, "Unauthorized"))
      const cause = KubeFailure.causeOf(yield* Effect.flip(kube.listPods("a=b")))
      assert.strictEqual(
        cause.message,
        `the Kubernetes API at https://localhost:${api.port} cannot be used (Unauthorized): Unauthorized; the credentials of this process are not accepted: log in again, or replace the token`
      )
    })
  )

  it.effect("that creates an object may take as long as an admission webhook [C144]", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      api.answer = (_asked, response) => reply(response, 200, list)
      yield* kube.listPods("a=b")
      let answer = () => {}
      api.answer = (_asked, response) => (answer = () => reply(response, 201, pod))
      const creates = { pod: kube.createPod(pod), dryRun: kube.createPod(pod, { dryRun: true }) }
      for (const create of Object.values(creates)) {
        const before = api.asked.length
        const creating = yield* Effect.forkChild(create)
        yield* until(() => api.asked.length === before + 1)
        yield* TestClock.adjust("30 seconds")
        answer()
        assert.strictEqual((yield* Fiber.join(creating)).metadata.name, "a")
        assert.lengthOf(api.asked, before + 1)
      }
    })
  )

  it.live("reports its user as the API server sees it [C143]", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* byKubeconfig({ token: "secret" })
      api.answer = (_asked, response) => reply(response, 201, { status: { userInfo: { username: "jane" } } })
      assert.strictEqual(kube.user, "me")
      assert.strictEqual(yield* kube.whoAmI, "jane")
      assert.strictEqual(api.asked[0]?.path, "/apis/authentication.k8s.io/v1/selfsubjectreviews")
    })
  )

  it.live("has a time limit in total and for each attempt", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod({ requestTimeout: "300 millis", retryFor: "2 seconds" })
      yield* kube.getPod("a")
      api.asked.length = 0
      api.answer = () => {}
      const started = performance.now()
      const error = yield* Effect.flip(kube.getPod("a"))
      assert.deepInclude(error, { reason: "TimedOut", retryable: true })
      assert.isAtLeast(api.asked.length, 2)
      // Without the limit in total the attempts go on for 30 s.
      assert.isBelow(performance.now() - started, 20_000)
      yield* until(() => api.sockets.size === 0)
    })
  )

  it.live("has a limit for the size of the answer", () =>
    Effect.gen(function* () {
      const api = yield* ApiServer.make
      const connection = yield* KubeDiscovery.make({ kubeconfig: api.kubeconfig({}) })
      const http = yield* KubeHttp.make(connection, { userAgent: "test", maxAnswer: 1000 })
      api.answer = (_asked, response) => reply(response, 200, "x".repeat(998))
      const request = { verb: "get", resource: "pods", method: "GET", path: "/" } as const
      assert.lengthOf(yield* http.text(request, 10_000), 1000)
      api.answer = (_asked, response) => void response.write("x".repeat(1001))
      assert.deepInclude(yield* Effect.flip(http.text(request, 10_000)), { reason: "TooLarge", retryable: false })
      yield* until(() => api.sockets.size === 0)
    })
  )

  it.live("closes its connection when it is interrupted", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      api.answer = (_asked, response) => void response.writeHead(200).write("{")
      const fiber = yield* Effect.forkChild(kube.getPod("a"))
      yield* until(() => api.asked.length === 1)
      assert.strictEqual(api.sockets.size, 1)
      yield* Fiber.interrupt(fiber)
      yield* until(() => api.sockets.size === 0)
    })
  )

  it.live("logs each warning of the server once", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      const logged: Array<string> = []
      const logger = Logger.make(({ message }) => void logged.push(String(message)))
      api.answer = (_asked, response) => reply(response, 200, pod, { warning: '299 - "unknown field"' })
      const twice = Effect.andThen(kube.createPod(pod, { dryRun: true }), kube.createPod(pod, { dryRun: true }))
      yield* Effect.provide(twice, Logger.layer([logger]))
      assert.deepStrictEqual(logged, ['the Kubernetes API server warns: 299 - "unknown field"'])
      assert.strictEqual(api.asked[0]?.path, "/api/v1/namespaces/apps/pods?dryRun=All&fieldValidation=Strict")
    })
  )

  it.live("deletes one object only, because its preconditions name uid or version", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod({ retryFor: "1 second" })
      yield* kube.deletePod("a", { uid: "u", gracePeriodSeconds: 3 })
      const [asked] = api.asked
      assert.strictEqual(asked?.headers["content-length"], `${asked?.body.length}`)
      assert.deepStrictEqual(JSON.parse(asked?.body ?? ""), {
        apiVersion: "v1",
        kind: "DeleteOptions",
        gracePeriodSeconds: 3,
        preconditions: { uid: "u" }
      })
      const precondition = "Precondition failed: UID in the precondition: u, UID in object meta: v"
      api.answer = (_asked, response) => reply(response, 409, refuse(409, "Conflict", precondition))
      yield* kube.deletePod("a", { uid: "u" })
      assert.isFalse(yield* kube.deleteSecret("a", { uid: "u" }))
      api.answer = (_asked, response) => reply(response, 404, refuse(404, "NotFound"))
      yield* kube.deletePod("a")
      api.answer = (_asked, response) => reply(response, 403, refuse(403, "Forbidden"))
      assert.strictEqual((yield* Effect.flip(kube.deletePod("a"))).reason, "Forbidden")
    })
  )

  it.live("recognises the pod that its own earlier attempt created", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      let there: Pod | undefined
      api.answer = ({ body, method }, response) => {
        if (method === "GET") return reply(response, 200, there)
        if (there !== undefined) return reply(response, 409, refuse(409, "AlreadyExists"))
        there = JSON.parse(body) as Pod
        // The request was executed, but its answer is lost.
        response.socket?.destroy()
      }
      assert.strictEqual((yield* kube.createPod(pod)).metadata.name, "a")
      assert.deepStrictEqual(kube.requests(), { "create pods": 2, "get pods": 1 })
      const other = { ...pod, metadata: { ...pod.metadata, annotations: { "flame.dev/life": "another" } } }
      assert.strictEqual((yield* Effect.flip(kube.createPod(other))).reason, "AlreadyExists")
    })
  )

  it.live("does not count as refused if an earlier attempt may have been executed", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      let tries = 0
      api.answer = (_asked, response) =>
        tries++ === 0 ? response.socket?.destroy() : reply(response, 403, refuse(403, "Forbidden", "quota"))
      const error = yield* Effect.flip(kube.createPod(pod))
      assert.deepInclude(error, { status: 403, detail: "quota", mayBeDone: true })
      assert.isFalse(error.isRefusal)
      assert.isTrue((yield* Effect.flip(kube.createPod(pod))).isRefusal)
    })
  )
})

const watching = (kube: KubeClient["Service"]) => Stream.runCollect(kube.watchPods("a=b", "7"))

describe("a watch", () => {
  it.live("emits line by line, an error in a line too, and ends when the server ends it", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      const events = [
        { type: "ADDED", object: pod },
        { type: "BOOKMARK", object: { metadata: { resourceVersion: "9" } } },
        { type: "ERROR", object: refuse(410, "Expired") }
      ]
      api.answer = (_asked, response) => response.end(events.map((event) => `${JSON.stringify(event)}\n`).join(""))
      assert.deepStrictEqual(yield* watching(kube), events as never)
      const query = new URL(api.asked[0]!.path, "https://api").searchParams
      assert.deepInclude(Object.fromEntries(query), {
        watch: "1",
        labelSelector: "a=b",
        resourceVersion: "7",
        allowWatchBookmarks: "true"
      })
      const seconds = Number(query.get("timeoutSeconds"))
      assert.isTrue(seconds >= 240 && seconds <= 300)
      yield* until(() => api.sockets.size === 0)
    })
  )

  it.live("fails when its connection breaks, its line is cut, or it is refused", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      api.answer = (_asked, response) => {
        response.write(`${JSON.stringify({ type: "ADDED", object: pod })}\n`)
        setImmediate(() => response.socket?.destroy())
      }
      assert.deepInclude(yield* Effect.flip(watching(kube)), { reason: "Unreachable", retryable: true })
      api.answer = (_asked, response) => response.end('{"type":"ADD')
      assert.deepInclude(yield* Effect.flip(watching(kube)), { reason: "Garbled", retryable: true })
      api.answer = (_asked, response) => reply(response, 403, refuse(403, "Forbidden"))
      assert.deepInclude(yield* Effect.flip(watching(kube)), { status: 403, retryable: false })
      yield* until(() => api.sockets.size === 0)
    })
  )

  it.effect("fails after 75 seconds of silence, and closes its connection", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      api.answer = (_asked, response) => void response.write(`${JSON.stringify({ type: "ADDED", object: pod })}\n`)
      let seen = 0
      const fiber = yield* Effect.forkChild(
        Effect.flip(Stream.runForEach(kube.watchPods("a=b", "7"), () => Effect.sync(() => void seen++)))
      )
      yield* until(() => seen === 1)
      yield* TestClock.adjust("74 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(fiber), { reason: "TimedOut", retryable: true })
      yield* until(() => api.sockets.size === 0)
    })
  )

  it.live("has a limit for the length of a line", () =>
    Effect.gen(function* () {
      const { api } = yield* inPod()
      const connection = yield* KubeDiscovery.make({ serviceAccount: api.folder })
      const http = yield* KubeHttp.make(connection, { userAgent: "test" })
      api.answer = (_asked, response) => void response.write("x".repeat(101))
      const request = { verb: "watch", resource: "pods", method: "GET", path: "/" } as const
      const body = yield* http.open(request, 10_000)
      const lines = KubeLines.json(request, body, { server: "https://api", silence: 10_000, maxLine: 100 })
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(lines))).reason, "TooLarge")
    })
  )

  it.live("closes its connection when its reader stops", () =>
    Effect.gen(function* () {
      const { api, kube } = yield* inPod()
      api.answer = (_asked, response) => void response.write(`${JSON.stringify({ type: "ADDED", object: pod })}\n`)
      yield* Stream.runDrain(Stream.take(kube.watchPods("a=b", "7"), 1))
      yield* until(() => api.sockets.size === 0)
    })
  )
})
