/** Tests each fault that `doctor` finds: its line, and that applying its fix makes the check pass. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Asked, examine } from "../../src/cli/DoctorCommand.ts"
import type { Check } from "../../src/cli/doctor/Check.ts"
import { endOf } from "../../src/cli/cluster/ClusterLive.ts"
import * as PodChecks from "../../src/cli/doctor/PodChecks.ts"
import * as ServerChecks from "../../src/cli/doctor/ServerChecks.ts"
import { KubeError, KubeUnconfigured } from "../../src/kubernetes/api/KubeError.ts"
import * as MemoryCluster from "./kit/MemoryCluster.ts"

const asked: Asked = {
  target: "deploy/shop",
  container: undefined,
  key: "secret",
  port: 9345,
  max: undefined,
  pod: {},
  drainTimeout: 30_000,
  cancelGrace: 5_000,
  probe: false
}

const labels = { "app.kubernetes.io/name": "shop" }

const deployment = (spec: object = {}, env: Readonly<Record<string, string>> = {}) => ({
  metadata: { name: "shop", labels },
  spec: {
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        serviceAccountName: "shop",
        terminationGracePeriodSeconds: 38,
        containers: [
          {
            name: "shop",
            image: "shop:1",
            env: Object.entries(env).map(([name, value]) => ({ name, value })),
            ports: [{ name: "flame", containerPort: 9345 }],
            resources: { requests: { cpu: "500m", memory: "1Gi" } }
          }
        ],
        ...spec
      }
    }
  }
})

/** The checks of a namespace with these objects. */
const checksOf = (options: MemoryCluster.MemoryOptions = {}, more: Partial<Asked> = {}) =>
  Effect.gen(function* () {
    const all: Array<Check> = []
    const given = { ...options, objects: { deployments: [deployment()], ...options.objects } }
    yield* Effect.provide(
      examine({ ...asked, ...more }, (checks) => Effect.sync(() => void all.push(...checks))),
      MemoryCluster.layer(given)
    )
    return all
  })

const named = (checks: ReadonlyArray<Check>, name: string): Check => {
  const found = checks.filter((check) => check.name === name)
  assert.lengthOf(found, 1, `${name} in ${checks.map((check) => check.name).join(", ")}`)
  return found[0]!
}

const ofStatus = (checks: ReadonlyArray<Check>, status: Check["status"]) =>
  checks.filter((check) => check.status === status).map(({ name }) => name)

it.effect("a namespace with everything that an app needs passes every check, each in one line [C284]", () =>
  Effect.gen(function* () {
    const checks = yield* checksOf()
    assert.deepStrictEqual(
      ofStatus(checks, "ok"),
      checks.map(({ name }) => name)
    )
    for (const { line } of checks) assert.notMatch(line, /\n/)
  })
)

describe("the way to the cluster [C284]", () => {
  it.effect("an API server that cannot be reached is reported in one line, with its address and a fix", () =>
    Effect.gen(function* () {
      const refused = new KubeError({
        verb: "get",
        resource: "version",
        reason: "Unreachable",
        code: "ECONNREFUSED",
        detail: "connect ECONNREFUSED 10.0.0.1:6443",
        server: "https://10.0.0.1:6443",
        retryable: true
      })
      const checks = yield* checksOf({ failing: { "get version": refused } })
      assert.lengthOf(checks, 1)
      const { fix, line, status } = named(checks, "server")
      assert.strictEqual(status, "fail")
      assert.match(line, /https:\/\/10\.0\.0\.1:6443 cannot be used: .*ECONNREFUSED/)
      assert.match(fix ?? "", /start the cluster, or correct its address/)
    })
  )

  const unauthorized = MemoryCluster.refusal("get", "version", 401, "Unauthorized", "Unauthorized")

  it.effect("an expired token is reported with its end, and other refused credentials without one", () =>
    Effect.gen(function* () {
      const failing = { "get version": unauthorized }
      const expired = yield* checksOf({ failing, tokenEnd: -1_000, client: () => ({ serverTime: () => 0 }) })
      assert.match(named(expired, "user").line, /the token expired at 1969-12-31T23:59:59\.000Z \(401 Unauthorized\)/)
      for (const tokenEnd of [undefined, 1_000]) {
        const checks = yield* checksOf({
          failing,
          client: () => ({ serverTime: () => 0 }),
          ...(tokenEnd === undefined ? {} : { tokenEnd })
        })
        const { fix, line, status } = named(checks, "user")
        assert.strictEqual(status, "fail")
        assert.match(line, /credentials are not accepted \(401 Unauthorized\)/)
        assert.match(fix ?? "", /log in to the cluster again/)
      }
    })
  )

  it.effect(
    "the end of a token is compared with the API server's clock, and reported also where the version is public",
    () =>
      Effect.gen(function* () {
        const whoAmI = Effect.fail(unauthorized)
        const line = (serverTime: number) =>
          Effect.map(
            checksOf({ tokenEnd: 5_000, client: () => ({ serverTime: () => serverTime, whoAmI }) }),
            (checks) => named(checks, "user").line
          )
        assert.match(yield* line(10_000), /the token expired at 1970-01-01T00:00:05\.000Z/)
        assert.match(yield* line(1_000), /credentials are not accepted/)
      })
  )

  it("the end of a token is that of its claims, and a token without claims has none", () => {
    const token = (claims: string) => `Bearer head.${Buffer.from(claims).toString("base64url")}.signature`
    assert.strictEqual(endOf(token('{"exp":1796078731}')), 1_796_078_731_000)
    for (const none of [undefined, "Bearer opaque", token("{}"), token('{"exp":"soon"}'), token("no json")]) {
      assert.isUndefined(endOf(none))
    }
  })

  it.effect("a user without credentials, whom the API server calls anonymous, fails with the way to log in", () =>
    Effect.gen(function* () {
      const detail = 'selfsubjectreviews is forbidden: User "system:anonymous" cannot create resource'
      const anonymous = MemoryCluster.refusal("create", "selfsubjectreviews", 403, detail)
      const checks = yield* checksOf({ client: () => ({ user: "ana", whoAmI: Effect.fail(anonymous) }) })
      const { fix, line, status } = named(checks, "user")
      assert.strictEqual(status, "fail")
      assert.match(line, /user ana of the kubeconfig has no credentials/)
      assert.match(fix ?? "", /log in to the cluster again/)
    })
  )

  it.effect("an address that begins with http:// is reported as such, and not as missing credentials", () =>
    Effect.gen(function* () {
      const insecure = new KubeError({
        verb: "get",
        resource: "version",
        reason: "NoCredentials",
        detail: "HTTP protocol is not allowed when skipTLSVerify is not set or false",
        server: "http://10.0.0.1:6443",
        retryable: false
      })
      const { fix, line } = named(yield* checksOf({ failing: { "get version": insecure } }), "server")
      assert.match(line, /its address begins with http:\/\//)
      assert.match(fix ?? "", /https:\/\//)
    })
  )

  it("a context that the kubeconfig lacks is reported with those that it has", () => {
    const detail = "the kubeconfig /k has no context b (it has a, c)"
    assert.strictEqual(
      ServerChecks.unconfigured(new KubeUnconfigured({ detail })).fix,
      "choose a context by --context: a, c"
    )
  })

  it.effect("a web server that is no API server fails, whatever it answers", () =>
    Effect.gen(function* () {
      for (const status of [400, 404, 429]) {
        const failing = { "get version": MemoryCluster.refusal("get", "version", status, "no such page", "NotFound") }
        const checks = yield* checksOf({ failing })
        assert.deepStrictEqual(
          checks.map((check) => [check.name, check.status]),
          [["server", "fail"]],
          `${status}`
        )
      }
      const empty = yield* checksOf({ version: "unknown" })
      assert.match(named(empty, "server").line, /is no API server/)
    })
  )

  it.effect("an API server that hides its version and its users is used, and the user is unknown", () =>
    Effect.gen(function* () {
      const refused = MemoryCluster.refusal("get", "version", 403, "forbidden")
      const checks = yield* checksOf({
        failing: { "get version": refused },
        client: () => ({ whoAmI: Effect.fail(refused) })
      })
      assert.strictEqual(named(checks, "server").status, "ok")
      assert.strictEqual(named(checks, "user").status, "unknown")
      assert.strictEqual(named(checks, "pod").status, "ok")
    })
  )

  it.effect("a clock that is minutes off fails, seconds off warns, and one second off passes", () =>
    Effect.gen(function* () {
      const at = (offset: number) =>
        Effect.map(checksOf({ client: () => ({ serverTime: () => offset }) }), (checks) => named(checks, "clock"))
      assert.strictEqual((yield* at(-1_500)).status, "ok")
      const behind = yield* at(30_000)
      assert.strictEqual(behind.status, "warn")
      assert.match(behind.line, /30 s behind/)
      const ahead = yield* at(-600_000)
      assert.strictEqual(ahead.status, "fail")
      assert.match(ahead.line, /10 min ahead of/)
      assert.match(ahead.fix ?? "", /timedatectl set-ntp true/)
    })
  )
})

describe("rights [C284]", () => {
  const all = [
    ["pods", "create"],
    ["pods", "get"],
    ["pods", "list"],
    ["pods", "watch"],
    ["pods", "delete"],
    ["secrets", "create"],
    ["secrets", "delete"],
    ["events", "list"],
    ["pods/log", "get"],
    ["jobs", "create"],
    ["jobs", "get"],
    ["jobs", "patch"],
    ["jobs", "delete"]
  ] as const
  for (const [resource, verb] of all) {
    it.effect(`a missing right to ${verb} ${resource} is one line, and the Role of its fix grants the right`, () =>
      Effect.gen(function* () {
        const may = (asked: string, of: string) => !(asked === verb && of === resource)
        const checks = yield* checksOf({ may })
        const isHelp = ["events", "pods/log", "jobs"].includes(resource)
        assert.deepStrictEqual(ofStatus(checks, isHelp ? "warn" : "fail"), [`rights.${resource}`])
        const { line, manifest = "" } = named(checks, `rights.${resource}`)
        assert.include(line, `${verb} is missing`)
        const rule = manifest.split("\n").find((each) => each.includes(`resources: ["${resource}"]`))
        assert.include(rule ?? "", `"${verb}"`)
        assert.include(manifest, "kind: ServiceAccount, name: shop, namespace: shop")
      })
    )
  }

  it.effect("rights that this user may not check are unknown, with another way to check them", () =>
    Effect.gen(function* () {
      const refused = MemoryCluster.refusal("create", "localsubjectaccessreviews", 403, "forbidden")
      const checks = yield* checksOf({ failing: { "create localsubjectaccessreviews": refused } })
      assert.include(ofStatus(checks, "unknown"), "rights.pods")
      assert.match(named(checks, "rights.pods").fix ?? "", /kubectl exec/)
      assert.deepStrictEqual(ofStatus(checks, "fail"), [])
    })
  )
})

describe("the pod of a runner [C284]", () => {
  const refusedBy = (detail: string, status = 403) =>
    Effect.map(
      checksOf({
        client: () => ({ createPod: () => Effect.fail(MemoryCluster.refusal("create", "pods", status, detail)) })
      }),
      (checks) => named(checks, "pod")
    )

  it.effect("a refusal of Pod Security is named, and a patch of the parent fixes it", () =>
    Effect.gen(function* () {
      const { fix, line, status } = yield* refusedBy(
        'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'
      )
      assert.strictEqual(status, "fail")
      assert.match(line, /violates PodSecurity.*runAsNonRoot/)
      assert.match(fix ?? "", /^kubectl patch deployment shop -n shop .*"runAsNonRoot":true/)
    })
  )

  it.effect("a refusal of a LimitRange is named, and resources within its bounds fix it", () =>
    Effect.gen(function* () {
      const { fix, line } = yield* refusedBy(
        'pods "x" is forbidden: maximum memory usage per Container is 512Mi, but limit is 1Gi'
      )
      assert.match(line, /maximum memory usage/)
      assert.strictEqual(
        fix,
        "kubectl set resources deployment/shop -n shop -c shop --requests=memory=512Mi --limits=memory=512Mi"
      )
    })
  )

  it.effect("a missing namespace is created by the fix", () =>
    Effect.gen(function* () {
      const { fix } = yield* refusedBy('namespaces "shop" not found', 404)
      assert.strictEqual(fix, "kubectl create namespace shop")
    })
  )
})

const overQuota = (entry: string) =>
  MemoryCluster.refusal(
    "create",
    "pods",
    403,
    `pods "preflight-1" is forbidden: exceeded quota: team, requested: ${entry}=1, used: ${entry}=2, limited: ${entry}=2`
  )

describe("a quota that refuses the dry run [C482]", () => {
  const context = { namespace: "shop", workload: undefined, container: undefined }

  it("fails with a command that makes room for one runner", () => {
    const check = PodChecks.refused(overQuota("pods"), context)
    assert.strictEqual(check.status, "fail")
    assert.strictEqual(
      check.fix,
      `kubectl patch resourcequota team -n shop --type merge -p '{"spec":{"hard":{"pods":"3"}}}' (or lower \`max\`)`
    )
    assert.match(PodChecks.refused(overQuota("requests.cpu"), context).fix ?? "", /raise the quota, or lower/)
  })

  it("only warns where runners of the parent fill it, because the first call works", () => {
    const check = PodChecks.refused(overQuota("pods"), context, 2)
    assert.strictEqual(check.status, "warn")
    assert.match(check.line, /the parent has 2 runners, and no other one would be admitted: .*exceeded quota: team/)
  })
})

describe("quotas [C284]", () => {
  const quota = (
    hard: Readonly<Record<string, string>>,
    used: Readonly<Record<string, string>>,
    spec: object = {}
  ) => ({
    metadata: { name: "team" },
    spec,
    status: { hard, used }
  })
  const quotaCheck = (of: object, more: Partial<Asked> = {}) =>
    Effect.map(checksOf({ objects: { resourcequotas: [of as never] } }, more), (checks) => named(checks, "quota"))

  it.effect("a full quota fails, and the number in its fix passes", () =>
    Effect.gen(function* () {
      const full = yield* quotaCheck(quota({ pods: "3" }, { pods: "3" }), { max: 4 })
      assert.strictEqual(full.status, "fail")
      const wanted = /"pods":"(\d+)"/.exec(full.fix ?? "")?.[1] ?? ""
      assert.strictEqual((yield* quotaCheck(quota({ pods: wanted }, { pods: "3" }), { max: 4 })).status, "ok")
    })
  )

  it.effect("the scarcest resource decides, in its own units", () =>
    Effect.gen(function* () {
      const little = yield* quotaCheck(
        quota({ "requests.cpu": "4", "requests.memory": "3Gi", pods: "10" }, { "requests.cpu": "1", pods: "1" }),
        { max: 5 }
      )
      assert.strictEqual(little.status, "warn")
      assert.match(little.line, /requests.memory: 3Gi\) has room for 3 runners of max 5/)
      assert.match(little.fix ?? "", /"requests.memory":"5120Mi"/)
    })
  )

  it.effect("a quota on a class that runners do not have does not count", () =>
    Effect.gen(function* () {
      const scopeSelector = {
        matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["batch"] }]
      }
      const other = quota({ pods: "0" }, { pods: "0" }, { scopeSelector })
      assert.strictEqual((yield* quotaCheck(other)).status, "ok")
      assert.strictEqual((yield* quotaCheck(other, { pod: { priorityClassName: "batch" } })).status, "fail")
    })
  )
})

describe("selectors [C284]", () => {
  it.effect("a Service that would send requests to runners fails, and its patched selector passes", () =>
    Effect.gen(function* () {
      const of = (selector: object) => ({
        objects: { services: [{ metadata: { name: "web" }, spec: { selector } }] }
      })
      const { fix = "", status } = named(
        yield* checksOf(of({ "app.kubernetes.io/managed-by": "effect-flame" })),
        "selectors.service"
      )
      assert.strictEqual(status, "fail")
      const patch = JSON.parse(/-p '(.*)'$/.exec(fix)?.[1] ?? "{}").spec.selector
      const patched = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== null))
      assert.deepStrictEqual(patched, labels)
      assert.strictEqual(named(yield* checksOf(of(patched)), "selectors").status, "ok")
    })
  )

  it.effect("objects that this user may not list are unknown, not fine", () =>
    Effect.gen(function* () {
      const failing = { "list services": MemoryCluster.refusal("list", "services", 403, "forbidden") }
      const { fix, status } = named(yield* checksOf({ failing }), "selectors")
      assert.strictEqual(status, "unknown")
      assert.match(fix ?? "", /list services/)
    })
  )

  it.effect("a ReplicaSet that would adopt runners fails", () =>
    Effect.gen(function* () {
      const selector = { matchExpressions: [{ key: "flame.dev/role", operator: "Exists" }] }
      const checks = yield* checksOf({ objects: { replicasets: [{ metadata: { name: "rs" }, spec: { selector } }] } })
      assert.match(named(checks, "selectors.replicaset").line, /adopts runners/)
    })
  )
})

describe("NetworkPolicies [C284]", () => {
  const policy = (spec: object) => ({ metadata: { name: "closed" }, spec })
  const cases = {
    "network.ingress": policy({
      podSelector: { matchLabels: labels },
      policyTypes: ["Ingress"],
      ingress: [{ ports: [{ port: 80 }] }]
    }),
    "network.egress": policy({
      podSelector: {},
      policyTypes: ["Egress"],
      egress: [{ ports: [{ protocol: "UDP", port: 53 }] }]
    })
  }
  for (const [name, closed] of Object.entries(cases)) {
    it.effect(
      `a policy that blocks runners from their parent (${name}) fails, and the policy of its fix opens the way`,
      () =>
        Effect.gen(function* () {
          const found = named(yield* checksOf({ objects: { networkpolicies: [closed] } }), name)
          assert.strictEqual(found.status, "fail")
          assert.match(found.line, /NetworkPolicy closed cuts the way/)
          const { parse } = yield* Effect.promise(() => import("yaml"))
          const opened = parse(found.manifest ?? "")
          const checks = yield* checksOf({ objects: { networkpolicies: [closed, opened] } })
          assert.strictEqual(named(checks, "network").status, "ok")
        })
    )
  }

  it.effect("the policies that fix two workloads of a namespace have names of their own", () =>
    Effect.gen(function* () {
      const two = [deployment(), { ...deployment(), metadata: { name: "till", labels } }]
      const objects = { deployments: two, networkpolicies: Object.values(cases) }
      const { parse } = yield* Effect.promise(() => import("yaml"))
      const namesOf = (target: string) =>
        Effect.map(checksOf({ objects }, { target }), (all) =>
          all.flatMap(({ manifest }) => (manifest === undefined ? [] : [parse(manifest).metadata.name as string]))
        )
      assert.deepStrictEqual(yield* namesOf("deploy/shop"), ["flame-shop-way-back-in", "flame-shop-way-back-out"])
      assert.deepStrictEqual(yield* namesOf("deploy/till"), ["flame-till-way-back-in", "flame-till-way-back-out"])
    })
  )

  it.effect("the fixes of a StatefulSet select all of its pods, by no label of one pod", () =>
    Effect.gen(function* () {
      const pod = {
        metadata: {
          name: "shop-0",
          labels: { ...labels, "apps.kubernetes.io/pod-index": "0", "statefulset.kubernetes.io/pod-name": "shop-0" }
        },
        spec: deployment().spec.template.spec,
        status: { phase: "Running" }
      }
      const services = [{ metadata: { name: "web" }, spec: { selector: { "flame.dev/role": "runner" } } }]
      const objects = { statefulsets: [deployment()], pods: [pod], networkpolicies: Object.values(cases), services }
      const { parse } = yield* Effect.promise(() => import("yaml"))
      for (const target of ["statefulset/shop", "pod/shop-0"]) {
        const checks = yield* checksOf({ objects }, { target })
        const opened = parse(named(checks, "network.ingress").manifest ?? "")
        assert.deepStrictEqual(opened.spec.podSelector.matchLabels, labels)
        const { fix = "" } = named(checks, "selectors.service")
        assert.include(fix, `{"flame.dev/role":null,"app.kubernetes.io/name":"shop"}`)
      }
    })
  )

  it.effect("a policy that names the port, a range of ports, or the address of the parent lets runners through", () =>
    Effect.gen(function* () {
      const open = [
        { from: [{ podSelector: { matchLabels: { "flame.dev/role": "runner" } } }], ports: [{ port: "flame" }] },
        { from: [{ namespaceSelector: {} }], ports: [{ port: 9000, endPort: 9999 }] },
        { from: [{ ipBlock: { cidr: "0.0.0.0/0" } }] }
      ]
      for (const rule of open) {
        const one = policy({ podSelector: {}, policyTypes: ["Ingress"], ingress: [rule] })
        assert.strictEqual(named(yield* checksOf({ objects: { networkpolicies: [one] } }), "network").status, "ok")
      }
    })
  )
})

describe("the parent [C284]", () => {
  it.effect("a grace that is too short for the drain warns, and the number in its fix passes", () =>
    Effect.gen(function* () {
      const of = (seconds: number) =>
        checksOf({ objects: { deployments: [deployment({ terminationGracePeriodSeconds: seconds })] } })
      const { fix = "", status } = named(yield* of(30), "grace")
      assert.strictEqual(status, "warn")
      const wanted = Number(/"terminationGracePeriodSeconds":(\d+)/.exec(fix)?.[1])
      assert.strictEqual(named(yield* of(wanted), "grace").status, "ok")
    })
  )

  it.effect("variables that do not parse, have an invalid value, or set no option are found", () =>
    Effect.gen(function* () {
      const of = (env: Readonly<Record<string, string>>) =>
        Effect.map(checksOf({ objects: { deployments: [deployment({}, {}), deployment({}, env)].slice(1) } }), (all) =>
          all.filter(({ name }) => name === "variables")
        )
      const good = yield* of({ FLAME_MAX: "4", FLAME_GPU_IDLE_TIME_TO_LIVE: "5 seconds", FLAME_ADVERTISE: "x" })
      assert.deepStrictEqual(
        good.map(({ status }) => status),
        ["ok"]
      )
      const wrong = yield* of({ FLAME_MAX: "four", FLAME_GPU_MIN: "-1", FLAME_MXA: "4", FLAME_TIMEOUT: "soon" })
      assert.sameMembers(
        wrong.map(({ status }) => status),
        ["fail", "fail", "warn", "fail"]
      )
      const fixes = wrong.flatMap(({ fix = "" }) => /(FLAME_\w+)='?([^']*)'?$/.exec(fix)?.slice(1, 3) ?? [])
      const mended = Object.fromEntries([0, 1, 2].map((at) => [fixes[at * 2] ?? "", fixes[at * 2 + 1] ?? ""]))
      assert.hasAllKeys(mended, ["FLAME_MAX", "FLAME_GPU_MIN", "FLAME_TIMEOUT"])
      assert.deepStrictEqual(
        (yield* of(mended)).map(({ status }) => status),
        ["ok"]
      )
    })
  )

  it.effect("variables of ConfigMaps are checked, in the order in which a container takes them", () =>
    Effect.gen(function* () {
      const of = (container: object, configmaps: ReadonlyArray<object>, failing = {}) =>
        Effect.map(
          checksOf({
            objects: {
              deployments: [deployment({ containers: [{ name: "shop", image: "shop:1", ...container }] })],
              configmaps: configmaps as never
            },
            failing
          }),
          (all) => all.filter(({ name }) => name === "variables")
        )
      const statuses = (all: ReadonlyArray<Check>) => all.map(({ status }) => status)
      const map = (data: object) => ({ metadata: { name: "options" }, data })
      const envFrom = [{ configMapRef: { name: "options" } }]
      const bad = map({ FLAME_MAX: "many", OTHER: "x" })
      assert.match((yield* of({ envFrom }, [bad]))[0]?.line ?? "", /FLAME_MAX="many" does not parse/)
      // A variable of the container itself overrides that of the ConfigMap.
      const env = [{ name: "FLAME_MAX", value: "4" }]
      assert.deepStrictEqual(statuses(yield* of({ envFrom, env }, [bad])), ["ok"])
      const prefixed = [{ prefix: "FLAME_", configMapRef: { name: "options" } }]
      assert.match((yield* of({ envFrom: prefixed }, [map({ MAX: "many" })]))[0]?.line ?? "", /FLAME_MAX/)
      const key = (optional: boolean) => [
        { name: "FLAME_MAX", valueFrom: { configMapKeyRef: { name: "options", key: "max", optional } } }
      ]
      assert.match((yield* of({ env: key(false) }, [map({ max: "many" })]))[0]?.line ?? "", /FLAME_MAX="many"/)
      assert.match((yield* of({ env: key(false) }, [map({})]))[0]?.line ?? "", /has no key max/)
      assert.deepStrictEqual(statuses(yield* of({ env: key(true) }, [])), ["ok"])
      assert.match((yield* of({ envFrom }, []))[0]?.line ?? "", /ConfigMap options does not exist/)
      const refused = { "get configmaps": MemoryCluster.refusal("get", "configmaps", 403, "forbidden") }
      const [hidden, ...rest] = yield* of({ envFrom }, [bad], refused)
      assert.deepStrictEqual([hidden?.status, rest], ["unknown", []])
      assert.match(hidden?.fix ?? "", /get configmaps/)
      const secret = [{ secretRef: { name: "keys" } }]
      assert.deepStrictEqual(statuses(yield* of({ envFrom: secret }, [])), ["unknown"])
      assert.deepStrictEqual(statuses(yield* of({ envFrom: secret, env }, [])), ["ok", "unknown"])
      const others = [{ prefix: "DB_", secretRef: { name: "keys" } }]
      assert.deepStrictEqual(statuses(yield* of({ envFrom: others }, [])), ["ok"])
    })
  )

  const inShop = { namespaces: [{ metadata: { name: "shop" } }] }

  it.effect("a parent that does not exist is a failed check with the name that was meant", () =>
    Effect.gen(function* () {
      const { line, status } = named(yield* checksOf({ objects: inShop }, { target: "deploy/shpo" }), "parent")
      assert.strictEqual(status, "fail")
      assert.strictEqual(line, "there is no deployment shpo in namespace shop; did you mean deployment/shop?")
      const elsewhere = named(yield* checksOf({}, { target: "deploy/shpo" }), "parent")
      assert.match(elsewhere.line, /there is no namespace shop/)
    })
  )

  it.effect("a name alone is that of a Deployment or of a StatefulSet", () =>
    Effect.gen(function* () {
      const objects = { ...inShop, deployments: [], statefulsets: [deployment()] }
      const checks = yield* checksOf({ objects }, { target: "shop" })
      assert.match(named(checks, "grace").line, /the parent has 38 s/)
    })
  )

  it.effect("a parent that this user may not read is unknown, and a target of three parts is refused", () =>
    Effect.gen(function* () {
      const failing = { "get deployments": MemoryCluster.refusal("get", "deployments", 403, "forbidden") }
      const checks = yield* checksOf({ failing })
      assert.strictEqual(named(checks, "parent").status, "unknown")
      assert.match(named(checks, "parent").fix ?? "", /get deployments/)
      const error = yield* Effect.flip(checksOf({}, { target: "deploy/a/b" }))
      assert.deepInclude(error, { status: 2 })
    })
  )
})
