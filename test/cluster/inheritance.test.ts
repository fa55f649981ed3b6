/**
 * Tests what runners inherit from their parent's pod, how the parent finds its own container, and its errors without a
 * connection or rights.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { parseAllDocuments } from "yaml"
import { patience } from "../fixtures/conformance-process/patience.ts"
import { create, get, list, log, pods } from "./kit/Cluster.ts"
import { runnerLabel } from "./kit/HostParent.ts"
import type { KubeObject } from "./kit/Api.ts"
import { leavesNothing } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import * as ParentPod from "./kit/ParentPod.ts"
import { within } from "./kit/Times.ts"

const space = Namespaces.ofFile("inheritance")
const limited = Namespaces.ofFile("limited")

const three = { _tag: "Success", value: 3 } as const
const add = { a: 1, b: 2 }

const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } })

/** Changes the only container. */
const container =
  (change: (container: KubeObject) => KubeObject, more: KubeObject = {}) =>
  (spec: KubeObject): KubeObject => ({ ...spec, ...more, containers: [change(spec.containers[0])] })

const agent = { name: "log-agent", image: "localhost/node:24", command: ["node", "-e", "setInterval(() => {}, 1e6)"] }

/** Adds a container before the parent's own. */
const beside = (spec: KubeObject): KubeObject => ({
  ...spec,
  containers: [{ ...agent, securityContext: spec.containers[0].securityContext }, ...spec.containers]
})

describe("a parent in a pod", () => {
  it.live("passes the variables that describe it on to its runners [C145]", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const own = [
          field("TIER", "metadata.labels['tier']"),
          field("JOB_COMPLETION_INDEX", "metadata.annotations['batch.kubernetes.io/job-completion-index']"),
          field("PRICE", "metadata.annotations['price']"),
          { name: "SHARD", value: "$(TIER)-$(JOB_COMPLETION_INDEX)" },
          {
            name: "CPUS",
            valueFrom: { resourceFieldRef: { containerName: "app", resource: "limits.cpu", divisor: "1m" } }
          }
        ]
        const { control } = yield* ParentPod.start(space.name, "described", {
          labels: { tier: "batch" },
          annotations: { "batch.kubernetes.io/job-completion-index": "7", price: "$5 $(TIER) $$" },
          bend: container(({ env, resources, ...rest }) => ({
            ...rest,
            env: [...own, ...env],
            resources: { ...resources, limits: { ...resources.limits, cpu: "1500m" } }
          }))
        })
        const result = yield* control.call("place")
        assert.strictEqual(result._tag, "Success")
        const { env } = (result as { value: { env: Record<string, string> } }).value
        assert.deepInclude(env, {
          TIER: "batch",
          JOB_COMPLETION_INDEX: "7",
          PRICE: "$5 $(TIER) $$",
          SHARD: "batch-7",
          CPUS: "1500"
        })
      })
    )
  )

  it.live("passes the resources of its pod on to its runners, so that a quota admits them [C146]", () =>
    leavesNothing(
      limited.name,
      Effect.gen(function* () {
        const hard = { "requests.cpu": "2", "requests.memory": "2Gi", "limits.memory": "4Gi" }
        yield* create(limited.name, "resourcequotas", { metadata: { name: "q" }, spec: { hard } })
        const resources = { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "300Mi" } }
        const { control } = yield* ParentPod.start(limited.name, "pod-level", {
          bend: container(({ resources: _, ...rest }) => rest, { resources })
        })
        assert.deepStrictEqual(yield* control.call("add", add), three)
        const [runner] = yield* list(limited.name, "pods", runnerLabel)
        assert.deepStrictEqual(runner.spec.resources, resources)
      })
    )
  )

  it.live(
    "with a read-only root passes its writable folder on to its runners [C147], and logs once what they lack [C148]",
    () =>
      leavesNothing(
        space.name,
        Effect.gen(function* () {
          const volumes = [
            { name: "tmp", emptyDir: {} },
            { name: "cache", emptyDir: {} }
          ]
          const mounts = [
            { name: "tmp", mountPath: "/tmp" },
            { name: "cache", mountPath: "/cache" }
          ]
          const { control, name } = yield* ParentPod.start(space.name, "hardened", {
            bend: container(
              ({ securityContext, ...rest }) => ({
                ...rest,
                securityContext: { ...securityContext, readOnlyRootFilesystem: true },
                volumeMounts: mounts
              }),
              { volumes, shareProcessNamespace: true }
            )
          })
          const written = yield* control.call("scratch")
          assert.match(JSON.stringify(written), /Success.*\/tmp\/scratch-/)
          const [runner] = yield* list(space.name, "pods", runnerLabel)
          assert.deepStrictEqual(
            runner.spec.volumes.map((volume: KubeObject) => volume.name),
            ["tmp"]
          )
          const said = (yield* log(space.name, name)).split("runners go without these parts")
          assert.lengthOf(said, 2)
          assert.match(said[1] ?? "", /- volume cache at \/cache \(list it in `volumes`\)\n\s+- shareProcessNamespace/)
        })
      )
  )

  it.live("finds its own container, although another is listed first [C149]", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { control } = yield* ParentPod.start(space.name, "second", { bend: beside })
        assert.deepStrictEqual(yield* control.call("add", add), three)
        const [runner] = yield* list(space.name, "pods", runnerLabel)
        const own = yield* get(space.name, "pods", "second")
        assert.strictEqual(runner.spec.containers[0].image, own.spec.containers[1].image)
      })
    )
  )

  it.live("whose option names another container fails within seconds, and the error names all containers [C149]", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { control } = yield* ParentPod.start(space.name, "mistaken", {
          bend: beside,
          kubernetes: { container: "log-agent" }
        })
        const started = performance.now()
        const failed = yield* control.call("add", add)
        assert.deepInclude(failed, { _tag: "Failure", error: "BootFailed" })
        assert.match(
          (failed as { message: string }).message,
          /the option `container` says log-agent, but this process runs in container app of pod mistaken \(the other containers: log-agent\)/
        )
        within("an option that names another container", performance.now() - started, 10_000)
      })
    )
  )

  it.live("that cannot reach the API server fails within seconds, with address and cause [C140]", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { control } = yield* ParentPod.start(space.name, "cut-off", { env: { KUBERNETES_SERVICE_PORT: "1" } })
        const started = performance.now()
        const failed = yield* control.call("add", add)
        assert.deepInclude(failed, { _tag: "Failure", error: "BootFailed" })
        const { message } = failed as { message: string }
        assert.match(
          message,
          /the Kubernetes API at https:\/\/10\.96\.0\.1:1 cannot be used \((ECONNREFUSED|TimedOut)\)/
        )
        within("an API server that cannot be reached", performance.now() - started, 15_000)
      })
    )
  )

  it.live(
    "without rights works once the Role in its error is applied, and that Role replaces nothing of another app [C143]",
    () =>
      leavesNothing(
        space.name,
        Effect.gen(function* () {
          const parents = yield* Effect.forEach(["resize", "report"], (name) =>
            Effect.gen(function* () {
              yield* create(space.name, "serviceaccounts", { metadata: { name } })
              return yield* ParentPod.start(space.name, name, {
                bend: (spec) => ({ ...spec, serviceAccountName: name })
              })
            })
          )
          for (const { control, name } of parents) {
            const failed = yield* control.call("add", add)
            assert.deepInclude(failed, { _tag: "Failure", error: "BootFailed" })
            const { message } = failed as { message: string }
            // Everything from there on, as somebody would paste it.
            const [role, binding] = parseAllDocuments(message.slice(message.indexOf("apiVersion:"))).map((document) =>
              document.toJSON()
            )
            assert.deepStrictEqual([role.metadata.name, binding.metadata.name], [`flame-${name}`, `flame-${name}`])
            yield* create(space.name, "roles", role)
            yield* create(space.name, "rolebindings", binding)
          }
          for (const { control, name } of parents) {
            // Until the API server knows the Role, and the pause after the failed boot is over.
            const healed = Effect.repeat(control.call("add", add), {
              while: ({ _tag }) => _tag !== "Success",
              schedule: Schedule.spaced("500 millis")
            })
            assert.deepStrictEqual(yield* healed.pipe(patience(() => `the Role of ${name} heals the error`)), three)
          }
          yield* pods(space.name, runnerLabel, (pods) => pods.length === 2, "each has a runner")
        })
      )
  )
})
