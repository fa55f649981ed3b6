import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { once } from "node:events"
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inject } from "vitest"
import type { Pod, WatchEvent } from "../../src/kubernetes/object/KubeObjects.ts"
import { KubeClient } from "../../src/kubernetes/api/KubeClient.ts"
import * as KubeClientLive from "../../src/kubernetes/api/KubeClientLive.ts"
import { untilSuccess } from "../fixtures/conformance-process/patience.ts"

const { kubeconfig, kubectl: program } = inject("cluster").tools

const kubectlIn =
  (namespace: string) =>
  (...args: ReadonlyArray<string>): string =>
    execFileSync(program, ["-n", namespace, ...args], {
      encoding: "utf8",
      env: { ...process.env, KUBECONFIG: kubeconfig }
    })

/** A namespace with a service account that has a parent's rights, until the end of the scope. */
const makeNamespace = (name: string) =>
  Effect.gen(function* () {
    const namespace = `client-${name}-${process.pid}`
    const kubectl = kubectlIn(namespace)
    yield* Effect.acquireRelease(
      Effect.sync(() => kubectl("create", "namespace", namespace)),
      () => Effect.sync(() => kubectl("delete", "namespace", namespace, "--wait=false"))
    )
    kubectl("create", "serviceaccount", "parent")
    kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=10s")
    const verbs = "--verb=create,get,list,watch,delete"
    kubectl("create", "role", "parent", verbs, "--resource=pods,secrets,events,pods/log,pods/portforward")
    kubectl("create", "rolebinding", "parent", "--role=parent", `--serviceaccount=${namespace}:parent`)
    return namespace
  })

const ByKubeconfig = Layer.unwrap(
  Effect.map(makeNamespace("config"), (namespace) => KubeClientLive.layer({ kubeconfig, namespace }))
)

/** A client as in a pod: with the files that a kubelet mounts, and the variables that it sets. */
const ByServiceAccount = Layer.unwrap(
  Effect.gen(function* () {
    const namespace = yield* makeNamespace("account")
    const directory = mkdtempSync(join(tmpdir(), "account-"))
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(directory, { recursive: true })))
    const kubectl = kubectlIn(namespace)
    const { authority, server } = cluster()
    writeFileSync(join(directory, "ca.crt"), authority)
    writeFileSync(join(directory, "token"), kubectl("create", "token", "parent"))
    writeFileSync(join(directory, "namespace"), namespace)
    const { KUBECONFIG } = process.env
    process.env.KUBERNETES_SERVICE_HOST = server.hostname
    process.env.KUBERNETES_SERVICE_PORT = server.port || "443"
    // Read once, when the layer is built.
    delete process.env.KUBECONFIG
    const live = yield* Layer.build(KubeClientLive.layer({ serviceAccount: directory }))
    if (KUBECONFIG !== undefined) process.env.KUBECONFIG = KUBECONFIG
    return Layer.succeedContext(live)
  })
)

const cluster = () => {
  const [view] = (
    JSON.parse(kubectlIn("default")("config", "view", "--raw", "--minify", "-o", "json")) as {
      clusters: ReadonlyArray<{ cluster: { server: string; "certificate-authority-data": string } }>
    }
  ).clusters
  const { server, "certificate-authority-data": authority } = view!.cluster
  return { server: new URL(server), authority: Buffer.from(authority, "base64") }
}

const podNamed = (name: string, more: Partial<Pod["spec"]> = {}, script = "setInterval(() => {}, 1000)"): Pod => ({
  metadata: {
    name,
    labels: { app: "client-test" },
    annotations: { "flame.dev/life": "life", "flame.dev/runner": name }
  },
  spec: {
    restartPolicy: "Never",
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 1,
    containers: [{ name: "main", image: "localhost/node:24", command: ["node", "-e", script] }],
    ...more
  }
})

/** Follows events of the test's pods from now on, until the awaited one. */
const following = Effect.fnUntraced(function* (until: (event: WatchEvent<Pod>) => boolean) {
  const kube = yield* KubeClient
  const { metadata } = yield* kube.listPods("app=client-test", { exact: true })
  const watch = kube.watchPods("app=client-test", metadata.resourceVersion!)
  return yield* Effect.forkScoped(watch.pipe(Stream.takeUntil(until), Stream.runCollect))
})

/** Echoes input that starts with e. Reads other input slowly and reports its size. Closes at once after a c. */
const portScript = `
  require("node:net").createServer((socket) => {
    let size = 0
    socket.once("data", (first) => {
      if (first[0] === 99) return socket.end("bye")
      if (first[0] === 101) { socket.write(first); socket.pipe(socket); return }
      size = first.length
      socket.on("data", (chunk) => {
        size += chunk.length
        if (chunk.at(-1) === 33) socket.end(String(size))
      })
    })
    socket.on("error", () => {})
  }).listen(7000, "127.0.0.1", () => console.log("listening"))`

const untilListening = (name: string) =>
  Effect.flatMap(KubeClient, (kube) => kube.podLog(name, "main", 1)).pipe(
    // The API server refuses with 400 until the container has been created.
    Effect.filterOrFail((text) => text.includes("listening")),
    untilSuccess(`${name} listens`)
  )

const suite = (name: string, way: typeof ByKubeconfig) =>
  layer(way, { timeout: 60_000, excludeTestServices: true })(name, (it) => {
    it.effect("creates a pod, only once by its name, watches it run and end, and reads its log", () =>
      Effect.gen(function* () {
        const kube = yield* KubeClient
        const events = yield* following((event) => event.type === "DELETED")
        const pod = podNamed("one", {}, "console.log('hello'); setInterval(() => {}, 1000)")
        const created = yield* kube.createPod(pod)
        const again = yield* kube.createPod(pod)
        assert.strictEqual(again.metadata.uid, created.metadata.uid)
        const other = yield* Effect.flip(
          kube.createPod({ ...pod, metadata: { ...pod.metadata, annotations: { "flame.dev/life": "another" } } })
        )
        assert.deepInclude(other, { status: 409, reason: "AlreadyExists", name: "one", retryable: false })

        const logged = yield* kube.podLog("one", "main", 10).pipe(
          // The API server refuses with 400 until the container has been created.
          Effect.filterOrFail((text) => text !== ""),
          untilSuccess("the pod has written its line")
        )
        assert.strictEqual(logged, "hello\n")

        // A deletion with another uid must not delete the pod of the same name.
        yield* kube.deletePod("one", { uid: "11111111-2222-3333-4444-555555555555", gracePeriodSeconds: 0 })
        assert.strictEqual((yield* kube.getPod("one")).metadata.deletionTimestamp, undefined)
        yield* kube.deletePod("one", { uid: created.metadata.uid!, gracePeriodSeconds: 1 })
        const seen = yield* Fiber.join(events)
        assert.strictEqual(seen[0]?.type, "ADDED")
        assert.strictEqual(seen.at(-1)?.type, "DELETED")
        assert.deepInclude(yield* Effect.flip(kube.getPod("one")), {
          status: 404,
          reason: "NotFound",
          retryable: false
        })
        yield* kube.deletePod("one")
      })
    )

    it.effect("creates Secrets, dry-runs a pod, reads events, and reads its own rights", () =>
      Effect.gen(function* () {
        const kube = yield* KubeClient
        const secret = { metadata: { name: "keys" }, stringData: { key: "value" } }
        const { metadata } = yield* kube.createSecret(secret)
        assert.strictEqual((yield* Effect.flip(kube.createSecret(secret))).reason, "AlreadyExists")
        assert.isFalse(yield* kube.deleteSecret("keys", { uid: "11111111-2222-3333-4444-555555555555" }))
        assert.isTrue(yield* kube.deleteSecret("keys", { uid: metadata.uid! }))
        assert.isFalse(yield* kube.deleteSecret("keys"))

        yield* kube.createPod(podNamed("dry"), { dryRun: true })
        assert.strictEqual((yield* Effect.flip(kube.getPod("dry"))).reason, "NotFound")
        const unknown = { ...podNamed("dry"), spec: { ...podNamed("dry").spec, nonsense: 1 } }
        const strict = yield* Effect.flip(kube.createPod(unknown, { dryRun: true }))
        assert.deepInclude(strict, { status: 400, reason: "BadRequest", retryable: false })
        assert.include(strict.detail, "nonsense")
        const invalid = yield* Effect.flip(kube.createPod({ ...podNamed("dry"), spec: { containers: [] } }))
        assert.deepInclude(invalid, { status: 422, reason: "Invalid", fields: ["spec.containers"] })

        const { rules } = yield* kube.rulesReview
        assert.isTrue(
          rules.some(
            ({ resources = [], verbs }) =>
              resources.some((name) => name === "pods" || name === "*") &&
              verbs.some((verb) => verb === "create" || verb === "*")
          )
        )

        const nowhere = yield* kube.createPod(podNamed("nowhere", { nodeSelector: { there: "nowhere" } }))
        const told = yield* kube.events(nowhere.metadata.uid!).pipe(
          Effect.filterOrFail((events) => events.length > 0),
          untilSuccess("the scheduler has told an event")
        )
        assert.strictEqual(told[0]?.reason, "FailedScheduling")
        yield* kube.deletePod("nowhere", { gracePeriodSeconds: 0 })
      })
    )

    it.effect("forwards a port in both directions, with backpressure, to the end", () =>
      Effect.gen(function* () {
        const kube = yield* KubeClient
        yield* kube.createPod(podNamed("ports", {}, portScript))
        yield* untilListening("ports")

        const closing = yield* kube.portForward("ports", 7000)
        closing.write("c")
        const text = yield* Effect.promise(async () => {
          let text = ""
          for await (const chunk of closing) text += String(chunk)
          return text
        })
        assert.strictEqual(text, "bye")
        assert.isTrue(closing.destroyed)

        const refused = yield* kube.portForward("ports", 7001)
        refused.resume()
        yield* Effect.promise(() => (refused.closed ? Promise.resolve() : once(refused, "close").catch(() => {})))
        assert.match(refused.errored?.message ?? "no error", /7001|refused/)

        const gone = yield* Effect.flip(Effect.scoped(kube.portForward("nobody", 7000)))
        assert.deepInclude(gone, { status: 404, reason: "NotFound", retryable: false })

        const megabytes = 50
        const piece = Buffer.alloc(1024 * 1024, 1)
        const upload = yield* kube.portForward("ports", 7000)
        const started = performance.now()
        yield* Effect.promise(async () => {
          for (let sent = 0; sent < megabytes; sent++) if (!upload.write(piece)) await once(upload, "drain")
          upload.write("!")
          const [answer] = (await once(upload, "data")) as [Buffer]
          assert.strictEqual(answer.toString(), `${megabytes * piece.length + 1}`)
        })
        const uploaded = performance.now()

        // Nothing reads the answers, so they must stop, and then what is sent must stop too.
        const echo = yield* kube.portForward("ports", 7000)
        echo.write("e")
        yield* Effect.promise(() => once(echo, "data"))
        echo.pause()
        let isStuck = false
        let sent = 0
        while (!isStuck && sent < 200) {
          sent++
          if (echo.write(piece)) continue
          const drained = Effect.promise(() => once(echo, "drain"))
          isStuck = yield* Effect.as(drained, false).pipe(
            Effect.timeoutOrElse({ duration: "2 seconds", orElse: () => Effect.succeed(true) })
          )
        }
        assert.isTrue(isStuck, "200 MB were taken while nobody read")
        assert.isBelow(echo.readableLength, 2 * 1024 * 1024)
        echo.resume()
        yield* Effect.promise(() => once(echo, "drain"))

        yield* Effect.log(`up ${((megabytes * 1000) / (uploaded - started)).toFixed(0)} MB/s`)
        yield* kube.deletePod("ports", { gracePeriodSeconds: 0 })
      })
    )
  })

suite("by a kubeconfig with client certificates", ByKubeconfig)
suite("by a service account", ByServiceAccount)
