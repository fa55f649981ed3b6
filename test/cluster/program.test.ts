/** The program `effect-flame` on a real cluster: what it finds, what it deletes, and what its manifests and fixes do. */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inject } from "vitest"
import type { KubeObject } from "./kit/Api.ts"
import { create, list, pod, pods, remove } from "./kit/Cluster.ts"
import { kubeconfig } from "./kit/HostParent.ts"
import { kill, mark } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import * as ParentPod from "./kit/ParentPod.ts"
import * as Program from "./kit/Program.ts"

const operated = join(import.meta.dirname, "apps/operated.ts")
const ours = "app.kubernetes.io/managed-by=effect-flame"

/** Objects that parents have made, as `gc` names them. */
const objectsOf = (
  namespace: string
): Effect.Effect<ReadonlyArray<{ readonly key: string; readonly object: KubeObject }>> =>
  Effect.map(
    Effect.all([list(namespace, "pods", ours), list(namespace, "secrets", ours), list(namespace, "jobs", ours)]),
    ([pods, secrets, jobs]) =>
      [
        ...pods.map((object) => ["Pod", object]),
        ...secrets.map((object) => ["Secret", object]),
        ...jobs.map((object) => ["Job", object])
      ].map(([kind, object]) => ({ key: `${kind} ${object.metadata.name}`, object }))
  )

/** Options of the pool: one call at a time, so that many parents can share a small machine. */
const quiet = { TEST_LOAD: "1", TEST_MILLIS: "2000" }

const lifeOf = ({ metadata }: KubeObject): string => metadata.annotations["flame.dev/life"]
const parentOf = ({ metadata }: KubeObject): string => metadata.labels["flame.dev/parent"]

describe("gc", () => {
  const space = Namespaces.ofFile("program-gc")

  const parent = (name: string, options: ParentPod.ParentOptions = {}) =>
    Effect.gen(function* () {
      const { metadata, spec } = ParentPod.template(space.name, {
        image: inject("cluster").images.operated,
        ...options
      })
      yield* Effect.acquireRelease(create(space.name, "pods", { metadata: { ...metadata, name }, spec }), () =>
        remove(space.name, "pods", name, { grace: 0 })
      )
      return (yield* pod(
        space.name,
        name,
        ({ metadata, status }) => status?.phase === "Running" && metadata,
        "the start"
      )).uid as string
    })

  const sidecar = { name: "sidecar", image: "localhost/node:24", command: ["node", "-e", "setInterval(() => {}, 1e6)"] }

  it.live(
    "[C280] [C281] lists and deletes exactly what parents killed in five ways have left, and nothing of living ones while they boot",
    () =>
      Effect.gen(function* () {
        const outside = yield* Program.parent(operated, {
          ...quiet,
          [mark]: space.name,
          TEST_KUBERNETES_OPTIONS: JSON.stringify({
            image: inject("cluster").images.operated,
            namespace: space.name,
            instance: space.name
          })
        })
        const nowhere = JSON.stringify({ nodeSelector: { nowhere: "there" } })
        const bend = (spec: KubeObject) => {
          const { securityContext } = spec.containers[0]
          return { ...spec, containers: [...spec.containers, { ...sidecar, securityContext }] }
        }
        const starts = [
          parent("living"),
          parent("booting", { env: { ...quiet, TEST_KUBERNETES_OPTIONS: nowhere } }),
          parent("never"),
          parent("always", { restartPolicy: "Always" }),
          parent("forced"),
          parent("beside", { bend })
        ] as const
        const [living, booting, never, always, forced, beside] = yield* Effect.all(starts, { concurrency: 6 })
        const killed = [never, always, forced, beside, "ext-"]
        const runs = (each: string) => (all: ReadonlyArray<KubeObject>) =>
          all.some((object) => parentOf(object).startsWith(each) && object.status?.phase === "Running")
        for (const each of [living, ...killed]) {
          yield* pods(space.name, "flame.dev/role=runner", runs(each), `a runner of ${each} runs`)
        }
        yield* pods(
          space.name,
          "flame.dev/role=runner",
          (all) => all.some((object) => parentOf(object).startsWith(booting)),
          "a runner of booting waits"
        )
        const before = yield* Program.json(["gc", "--dry-run", "-n", space.name])
        assert.deepStrictEqual([before.left, before.unsure], [[], []])

        const lives = new Map((yield* objectsOf(space.name)).map(({ object }) => [lifeOf(object), parentOf(object)]))
        const isOf = (uids: ReadonlyArray<string>, life: string) => uids.some((uid) => lives.get(life)?.startsWith(uid))
        const kept = (yield* objectsOf(space.name)).filter(({ object }) => isOf([living, booting], lifeOf(object)))

        // An object that was made in the seconds of a restart is no proof of anything.
        yield* Effect.sleep("12 seconds")
        for (const name of ["never", "always"]) yield* kill(space.name, name)
        yield* kill(space.name, "beside", `${mark}=${space.name}`)
        yield* remove(space.name, "pods", "forced", { grace: 0 })
        outside.kill("SIGKILL")

        const dead = (life: string): boolean => isOf(killed, life)
        const left = Effect.map(objectsOf(space.name), (all) =>
          all
            .filter(({ object }) => dead(lifeOf(object)) && object.metadata.deletionTimestamp === undefined)
            .map(({ key }) => key)
            .toSorted()
        )
        // The runners of a killed parent end by themselves, and the cluster collects what the deleted pod owned.
        yield* pods(
          space.name,
          "flame.dev/role=runner",
          (all) =>
            all
              .filter((object) => dead(lifeOf(object)))
              .every(({ status }) => ["Succeeded", "Failed"].includes(status?.phase)),
          "the runners of killed parents have ended"
        )
        yield* pods(
          space.name,
          "",
          (all) =>
            all.some(
              ({ metadata, status }) => metadata.name === "always" && status.containerStatuses[0].restartCount > 0
            ),
          "always has restarted"
        )
        const document = yield* Program.json(["gc", "--dry-run", "-n", space.name])
        const names = document.left.map(({ kind, name }: any) => `${kind} ${name}`).toSorted()
        assert.deepStrictEqual(names, yield* left)
        assert.deepStrictEqual(document.unsure, [])
        assert.isAtLeast(names.length, 4)

        const deleted = yield* Program.run(["gc", "-n", space.name])
        assert.strictEqual(deleted.status, 0, deleted.stdout + deleted.stderr)
        yield* Program.eventually(
          Effect.map(left, (all) => all.length === 0),
          "nothing of killed parents is left"
        )

        const after = new Set((yield* objectsOf(space.name)).map(({ object }) => object.metadata.uid))
        const lost = kept.filter(({ key, object }) => !key.startsWith("Pod") && !after.has(object.metadata.uid))
        assert.deepStrictEqual(
          lost.map(({ key }) => key),
          []
        )
        const ps = yield* Program.json(["ps", "-n", space.name])
        const ofName = (name: string) => ps.parents.find((each: any) => each.name === name)
        assert.isTrue(ofName("living").runners.some(({ state }: any) => state === "ready"))
        assert.match(ofName("booting").runners[0].detail, /node/)
      }).pipe(Effect.scoped),
    // Six parents boot, run for a while, are killed, and the program runs five times.
    240_000
  )
})

/** Applies the manifests of an app. */
const apply = (app: string, namespace: string, ...more: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { status, stderr, stdout } = yield* Program.run(["manifests", "--app", app, "-n", namespace, ...more])
    assert.strictEqual(status, 0, stderr)
    yield* Program.shell("kubectl apply -f -", stdout)
  })

describe("manifests", () => {
  const space = Namespaces.ofFile("program-manifests", { "pod-security.kubernetes.io/enforce": "restricted" })

  const succeeded = (app: string) =>
    Effect.map(Program.json(["ps", "-n", space.name]), ({ parents }) => {
      const found = parents.find(({ name }: any) => name.startsWith(`${app}-`))
      return (found?.pools[0]?.totals.succeeded ?? 0) as number
    })

  it.live(
    "[C283] applied in an empty namespace let calls succeed, and those of a second app take nothing from the first",
    () =>
      Effect.gen(function* () {
        const image = inject("cluster").images.operated
        yield* apply("shop", space.name, "--image", image, "--cpu", "20m", "--memory", "256Mi")
        yield* Program.eventually(
          Effect.map(succeeded("shop"), (calls) => calls > 0),
          "a call of shop succeeds"
        )
        const kinds = "serviceaccount,role,rolebinding,networkpolicy,deployment"
        const objects = `kubectl get ${kinds} -n ${space.name} -l app.kubernetes.io/name=shop -o json`
        const specs = Effect.map(Program.shell(objects), (text) =>
          JSON.parse(text).items.map(({ metadata, rules, spec }: any) => ({
            name: metadata.name,
            uid: metadata.uid,
            generation: metadata.generation,
            rules,
            spec
          }))
        )
        const before = yield* specs
        yield* apply(
          "till",
          space.name,
          "--image",
          image,
          "--cpu",
          "20m",
          "--memory",
          "256Mi",
          "--total-max",
          "3",
          "--network-policy"
        )
        yield* Program.eventually(
          Effect.map(succeeded("till"), (calls) => calls > 0),
          "a call of till succeeds"
        )
        assert.deepStrictEqual(yield* specs, before)
        const now = yield* succeeded("shop")
        yield* Program.eventually(
          Effect.map(succeeded("shop"), (calls) => calls > now),
          "calls of shop go on"
        )
        yield* Program.shell(`kubectl delete priorityclass flame-${space.name}-till`)
      })
  )
})

describe("manifests with a total", () => {
  const space = Namespaces.ofFile("program-total")

  it.live("[C288] two parents never have more runners than the total together, and finish alike", () =>
    Effect.gen(function* () {
      const image = inject("cluster").images.operated
      const limits = ["--replicas", "2", "--total-max", "4", "--cpu", "20m", "--memory", "256Mi"]
      const { stdout } = yield* Program.run([
        "manifests",
        "--app",
        "pair",
        "-n",
        space.name,
        "--image",
        image,
        ...limits
      ])
      const env = [
        { name: "TEST_PRIORITY_CLASS", value: `flame-${space.name}-pair` },
        { name: "TEST_CALLS", value: "30" },
        { name: "TEST_MILLIS", value: "1000" }
      ].map((variable) => `            - ${JSON.stringify(variable)}\n`)
      yield* Program.shell("kubectl apply -f -", stdout.replace("          env:\n", `          env:\n${env.join("")}`))
      const most = { seen: 0 }
      const count = Effect.map(
        Program.shell(`kubectl get pods -n ${space.name} -l flame.dev/role=runner -o name`),
        (text) => {
          most.seen = Math.max(most.seen, text.trim().split("\n").length)
        }
      )
      const finished = Effect.map(
        Program.shell(`kubectl logs -n ${space.name} -l app.kubernetes.io/name=pair --tail=-1 || true`),
        (text) => {
          const times = [...text.matchAll(/finished 30 calls after (\d+) ms/g)].map(([, time]) => Number(time))
          return times.length === 2 && times
        }
      )
      const [less = 0, more = 0] = (yield* Program.eventually(
        Effect.andThen(count, finished),
        "both have finished"
      )).toSorted((left, right) => left - right)
      assert.strictEqual(most.seen, 4)
      // Both take about 1.0 times as long. On a busy machine a boot of one of them may take some seconds more.
      assert.isAtMost(more / less, 1.6)
    }).pipe(Effect.ensuring(Effect.ignoreCause(Program.shell(`kubectl delete priorityclass flame-${space.name}-pair`))))
  )
})

describe("doctor", () => {
  const space = Namespaces.ofFile("program-doctor")
  const doctor = (...more: ReadonlyArray<string>) => Program.json(["doctor", "deploy/shop", "-n", space.name, ...more])

  const checkOf = (document: any, name: string) =>
    document.checks.find(
      (check: any) => check.name === name || (name.endsWith("*") && check.name.startsWith(name.slice(0, -1)))
    )

  /** Makes a fault, and sees it found; applies the fix, and sees the line pass. */
  const mends = (name: string, fault: string, ...more: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      yield* Program.shell(fault)
      const found = checkOf(yield* doctor(...more), name)
      assert.include(["fail", "warn"], found?.status, `${name} is found: ${JSON.stringify(found)}`)
      if (found.manifest !== undefined) yield* Program.shell("kubectl apply -f -", found.manifest)
      else yield* Program.shell(found.fix.replace(/ \(.*\)$/, ""))
      const mended = yield* doctor(...more)
      const again = mended.checks.filter((check: any) => check.name === found.name && check.status !== "ok")
      assert.deepStrictEqual(again, [], `${found.fix ?? found.manifest} mends it`)
    })

  const shop = Effect.suspend(() =>
    apply("shop", space.name, "--image", inject("cluster").images.operated, "--replicas", "0")
  )

  it.live("[C284] finds missing rights, a short grace, variables and selectors, and its fixes mend them", () =>
    Effect.gen(function* () {
      yield* shop
      const on = `-n ${space.name}`
      assert.isTrue((yield* doctor()).ok)
      yield* mends("rights.pods", `kubectl delete role flame-shop ${on}`)
      yield* mends(
        "grace",
        `kubectl patch deployment shop ${on} -p '{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":10}}}}'`
      )
      yield* mends("variables", `kubectl set env deployment/shop ${on} FLAME_MAX=many`)
      yield* mends(
        "selectors.service",
        `kubectl create service clusterip web --tcp=80 ${on} && kubectl patch service web ${on} --type merge -p '{"spec":{"selector":{"app":null,"app.kubernetes.io/managed-by":"effect-flame"}}}'`
      )
    })
  )

  it.live(
    "[C284] finds a NetworkPolicy, a LimitRange, a quota and Pod Security that will refuse, and its fixes mend them",
    () =>
      Effect.gen(function* () {
        yield* shop
        const file = (object: object) => `echo '${JSON.stringify(object)}' | kubectl apply -n ${space.name} -f -`
        yield* mends(
          "network*",
          file({
            apiVersion: "networking.k8s.io/v1",
            kind: "NetworkPolicy",
            metadata: { name: "closed" },
            spec: { podSelector: {}, policyTypes: ["Egress"] }
          })
        )
        yield* mends(
          "pod",
          file({
            apiVersion: "v1",
            kind: "LimitRange",
            metadata: { name: "small" },
            spec: { limits: [{ type: "Container", max: { memory: "256Mi" } }] }
          })
        )
        yield* mends(
          "quota",
          file({ apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "full" }, spec: { hard: { pods: "0" } } }),
          "--max",
          "3"
        )
        const bare = `kubectl patch deployment shop -n ${space.name} -p '{"spec":{"template":{"spec":{"securityContext":{"runAsNonRoot":null,"runAsUser":null}}}}}'`
        yield* mends(
          "pod",
          `kubectl label namespace ${space.name} --overwrite pod-security.kubernetes.io/enforce=restricted && ${bare}`
        )
      })
  )

  it.live("[C284] says what is wrong with no kubeconfig, a server that is away and a token that is not accepted", () =>
    Effect.gen(function* () {
      const none = yield* Program.run(["doctor", "--json"], { KUBECONFIG: "/nowhere", HOME: "/nowhere" })
      assert.strictEqual(none.status, 1)
      assert.strictEqual(JSON.parse(none.stdout).checks[0].name, "kubeconfig")
      const bend = (change: (config: any) => void) =>
        Effect.gen(function* () {
          const { readFileSync, writeFileSync } = yield* Effect.promise(() => import("node:fs"))
          const file = yield* kubeconfig(space.name)
          const config = JSON.parse(readFileSync(file, "utf8"))
          change(config)
          writeFileSync(file, JSON.stringify(config))
          return yield* Program.json(["doctor"], { KUBECONFIG: file })
        }).pipe(Effect.scoped)
      const away = yield* bend((config) => void (config.clusters[0].cluster.server = "https://127.0.0.1:1"))
      assert.deepInclude(away.checks[0], { name: "server", status: "fail" })
      assert.match(away.checks[0].line, /ECONNREFUSED/)
      const expired = yield* bend((config) => void (config.users[0].user.token += "x"))
      assert.deepInclude(checkOf(expired, "user"), { status: "fail" })
    })
  )

  it.live("[C284] under the least Role looks at what it may, and names what it may not", () =>
    Effect.gen(function* () {
      const file = yield* kubeconfig(space.name)
      const { checks, ok } = yield* Program.json(["doctor", "--image", inject("cluster").images.operated], {
        KUBECONFIG: file
      })
      assert.isFalse(ok)
      assert.strictEqual(checkOf({ checks }, "rights.pods/portforward").status, "fail")
      assert.strictEqual(checkOf({ checks }, "rights.pods").status, "ok")
      assert.strictEqual(checkOf({ checks }, "quota").status, "unknown")
      assert.match(checkOf({ checks }, "quota").fix, /list resourcequotas/)
      for (const command of ["ps", "gc", "top", "logs"]) {
        const { status, stderr } = yield* Program.run(command === "gc" ? ["gc", "--dry-run"] : [command], {
          KUBECONFIG: file
        })
        assert.strictEqual(status, 0, `${command}: ${stderr}`)
      }
    }).pipe(Effect.scoped)
  )
})
