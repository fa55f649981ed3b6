import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import type { Rules } from "../../../src/kubernetes/api/KubeClient.ts"
import { parseAllDocuments } from "yaml"
import * as NeededRights from "../../../src/kubernetes/verdict/NeededRights.ts"

/** The rights that an API server reports for service accounts, by their Roles. */
const recorded: Readonly<Record<string, Rules>> = JSON.parse(
  Fs.readFileSync(new URL("../fixtures/rules.json", import.meta.url), "utf8")
)

const rulesOf = (role: string): Rules => recorded[role] ?? assert.fail(`${role} is not recorded`)

const needs: NeededRights.RightsNeeded = {
  key: "secret",
  secretEnv: false,
  portForward: false,
  namespace: "apps",
  user: "system:serviceaccount:apps:weigh"
}

const judged = (role: string, over: Partial<NeededRights.RightsNeeded> = {}) =>
  NeededRights.judge(rulesOf(role), { ...needs, ...over })

describe("the rights of a parent", () => {
  it.each([
    ["none", {}, "Fatal"],
    ["pods", {}, "Fatal"],
    ["pods", { key: "env" }, "Fine"],
    ["pods", { key: "env", secretEnv: true }, "Fatal"],
    ["secrets", {}, "Fine"],
    ["secrets", { portForward: true }, "Fatal"],
    ["all", { portForward: true, secretEnv: true }, "Fine"],
    ["everything", { portForward: true, secretEnv: true }, "Fine"],
    // A right to one object by its name is no right to create or list.
    ["one-pod", { key: "env" }, "Fatal"]
  ] as const)("with the Role %s for %j is %s", (role, over, verdict) => {
    assert.strictEqual(judged(role, over)._tag, verdict)
  })

  it("are left to a dry run if the API server could not list them", () => {
    const verdict = NeededRights.judge({ incomplete: true, rules: [] }, needs)
    assert.deepStrictEqual(verdict, { _tag: "Undecided", warnings: [] })
  })

  it("cause a warning if a missing right only helps diagnosis", () => {
    const cleaning =
      "without the right to create, get, patch, delete jobs pods and Secrets of a killed parent stay until its pod is deleted, or until the same program starts again on the same host"
    const verdict = judged("secrets")
    assert.deepStrictEqual((verdict as { warnings: ReadonlyArray<string> }).warnings, [
      "without the right to list events a boot that waits for a volume or a network is reported without its reason",
      "without the right to get pods/log a runner that ends before it serves is reported without its output",
      cleaning
    ])
    assert.deepStrictEqual(judged("all"), { _tag: "Fine", warnings: [cleaning] })
    assert.deepStrictEqual(judged("everything"), { _tag: "Fine", warnings: [] })
  })

  it("cause one error that names all missing rights, with the Role to apply", () => {
    const verdict = judged("pods")
    assert.strictEqual(verdict._tag, "Fatal")
    assert.strictEqual(
      (verdict as { cause: Error }).cause.message,
      `the parent may not create secrets, grant it that right: system:serviceaccount:apps:weigh lacks in namespace apps: create, delete secrets; \`key: "env"\` needs no right to secrets: it puts each runner's key into its pod; this grants the rights, applied by an administrator:

apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: flame-weigh, namespace: apps }
rules:
  - { apiGroups: [""], resources: ["pods"], verbs: ["create", "get", "list", "watch", "delete"] }
  - { apiGroups: [""], resources: ["secrets"], verbs: ["create", "delete"] }
  # these only help to explain failures, and to clean up after a parent that is killed
  - { apiGroups: [""], resources: ["events"], verbs: ["list"] }
  - { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] }
  - { apiGroups: ["batch"], resources: ["jobs"], verbs: ["create", "get", "patch", "delete"] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: flame-weigh, namespace: apps }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: flame-weigh }
subjects: [{ kind: ServiceAccount, name: weigh, namespace: apps }]
`
    )
  })

  const roleOf = (over: Partial<NeededRights.RightsNeeded>): string => {
    const { cause } = judged("none", over) as { cause: Error }
    return cause.message.slice(cause.message.indexOf("apiVersion:"))
  }

  it("of two apps are granted by Roles that do not replace each other [C143]", () => {
    const nameOf = (over: Partial<NeededRights.RightsNeeded>): string => {
      const names = [...roleOf(over).matchAll(/metadata: \{ name: ([^,]+), namespace: apps \}/g)].map(
        ([, name]) => name
      )
      assert.lengthOf(new Set(names), 1)
      return names[0] ?? ""
    }
    const account = (name: string) => `system:serviceaccount:${name}`
    const cases: ReadonlyArray<Partial<NeededRights.RightsNeeded>> = [
      {},
      { user: account("apps:resize") },
      { user: account("other:weigh") },
      // The same account, with other rights.
      { key: "env" },
      { portForward: true },
      { key: "env", portForward: true },
      { user: "Jane@example.com" },
      { user: "jane-example.com" },
      { user: undefined }
    ]
    const names = cases.map(nameOf)
    assert.lengthOf(new Set(names), names.length, names.join())
    assert.strictEqual(nameOf({ key: "env", secretEnv: true }), "flame-weigh")
  })

  it("are bound to the user that the API server names, quoted as YAML demands", () => {
    assert.include(roleOf({ user: 'we"ird' }), '{ kind: User, name: "we\\"ird", apiGroup: rbac.authorization.k8s.io }')
    assert.include(roleOf({ user: "system:serviceaccount:other:weigh" }), "name: weigh, namespace: other")
  })

  it("are bound to a placeholder user if the parent is no service account of the cluster", () => {
    const { cause } = judged("none", { user: "jane@example.com", portForward: true }) as { cause: Error }
    assert.match(
      cause.message,
      /lacks in namespace apps: create, get, list, watch, delete pods; create, delete secrets; create, get pods\/portforward/
    )
    assert.match(cause.message, /\{ kind: User, name: "jane@example.com", apiGroup: rbac.authorization.k8s.io \}/)
    assert.notMatch(cause.message, /key: "env"/)
  })
})

it.each(["1234", "1e3", "no", "apps", "2026-12-01"])("a manifest for namespace %s names it as text", (namespace) => {
  const user = `system:serviceaccount:${namespace}:007`
  const [role, binding] = parseAllDocuments(NeededRights.manifestOf([], { ...needs, namespace, user })).map((one) =>
    one.toJS()
  )
  assert.strictEqual(role.metadata.namespace, namespace)
  assert.strictEqual(binding.metadata.namespace, namespace)
  assert.deepStrictEqual(binding.subjects, [{ kind: "ServiceAccount", name: "007", namespace }])
})
