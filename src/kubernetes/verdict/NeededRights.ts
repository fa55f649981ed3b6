/**
 * Pure: the list of rights that a parent needs on the cluster (`required`, `helping`). Compares the parent's rights with the
 * list, and makes the Role that grants the missing ones.
 */
import { Forbidden, type BootFailure } from "../../error/BootFailure.ts"
import type { Rules } from "../api/KubeClient.ts"
import { hash } from "../object/ObjectNames.ts"

/** The features of the backend that are in use, which decide the rights that it needs, and the user that needs them. */
export interface RightsNeeded {
  readonly key: "secret" | "env"
  /** Whether the option `secretEnv` has any variables. */
  readonly secretEnv: boolean
  /** Whether the parent reaches its runners through the API server. */
  readonly portForward: boolean
  readonly namespace: string
  /** The user as the API server sees it, as far as known. */
  readonly user: string | undefined
}

export type RightsVerdict =
  | { readonly _tag: "Fatal"; readonly cause: BootFailure }
  /** `warnings`: missing rights that only help. */
  | { readonly _tag: "Fine"; readonly warnings: ReadonlyArray<string> }
  /** The API server could not list all rights: a dry run must decide. */
  | { readonly _tag: "Undecided"; readonly warnings: ReadonlyArray<string> }

/** Verbs on a resource. */
export interface Right {
  /** The API group. Default: the core group. */
  readonly group?: string
  readonly resource: string
  readonly verbs: ReadonlyArray<string>
}

/** Whether rules allow a verb on a resource, for objects of any name. `group`: the core group if it is not given. */
export const allows = ({ rules }: Rules, verb: string, resource: string, group = ""): boolean =>
  rules.some(
    ({ apiGroups = [], resourceNames = [], resources = [], verbs }) =>
      has(verbs, verb) &&
      has(apiGroups, group) &&
      (has(resources, resource) ||
        resources.some((each) => each.startsWith("*/") && resource.endsWith(each.slice(1)))) &&
      resourceNames.length === 0
  )

const has = (all: ReadonlyArray<string>, one: string): boolean => all.includes(one) || all.includes("*")

/** The rights without which no runner can boot. */
export const required = ({
  key,
  portForward,
  secretEnv
}: Omit<RightsNeeded, "namespace" | "user">): ReadonlyArray<Right> => [
  { resource: "pods", verbs: ["create", "get", "list", "watch", "delete"] },
  ...(key === "secret" || secretEnv ? [{ resource: "secrets", verbs: ["create", "delete"] }] : []),
  // The API server requires both verbs for a WebSocket.
  ...(portForward ? [{ resource: "pods/portforward", verbs: ["create", "get"] }] : [])
]

/** Rights that only help, with the consequence of their absence. */
export const helping: ReadonlyArray<Right & { readonly without: string }> = [
  {
    resource: "events",
    verbs: ["list"],
    without: "a boot that waits for a volume or a network is reported without its reason"
  },
  {
    resource: "pods/log",
    verbs: ["get"],
    without: "a runner that ends before it serves is reported without its output"
  },
  {
    group: "batch",
    resource: "jobs",
    verbs: ["create", "get", "patch", "delete"],
    without:
      "pods and Secrets of a killed parent stay until its pod is deleted, or until the same program starts again on the same host"
  }
]

const lacking = (rules: Rules, rights: ReadonlyArray<Right>): ReadonlyArray<Right> =>
  rights
    .map((right) => ({
      ...right,
      verbs: right.verbs.filter((verb) => !allows(rules, verb, right.resource, right.group))
    }))
    .filter(({ verbs }) => verbs.length > 0)

const worded = ({ resource, verbs }: Right): string => `${verbs.join(", ")} ${resource}`

/** Compares the rights of a parent with those that it needs. */
export const judge = (rules: Rules, needs: RightsNeeded): RightsVerdict => {
  const rights = required(needs)
  const missing = lacking(rules, rights)
  const warnings = helping
    .filter(({ group, resource, verbs }) => verbs.some((verb) => !allows(rules, verb, resource, group)))
    .map((right) => `without the right to ${worded(right)} ${right.without}`)
  const [first] = missing
  if (rules.incomplete) return { _tag: "Undecided", warnings: [] }
  if (first === undefined) return { _tag: "Fine", warnings }
  return {
    _tag: "Fatal",
    cause: new Forbidden({
      verb: first.verbs[0] ?? "",
      resource: first.resource,
      detail: [
        `${needs.user ?? "the user of this process"} lacks in namespace ${needs.namespace}: ${missing.map(worded).join("; ")}`,
        ...hintOf(missing, needs),
        `this grants the rights, applied by an administrator:\n\n${manifestOf(rights, needs)}`
      ].join("; ")
    })
  }
}

const hintOf = (missing: ReadonlyArray<Right>, { key, secretEnv }: RightsNeeded): ReadonlyArray<string> =>
  key === "secret" && !secretEnv && missing.every(({ resource }) => resource === "secrets")
    ? ['`key: "env"` needs no right to secrets: it puts each runner\'s key into its pod']
    : []

/**
 * The Role, and its binding to the user.
 *
 * The names contain the user and the features in use. So the manifest does not replace the Role of another app, or of the
 * same account with other features.
 */
export const manifestOf = (rights: ReadonlyArray<Right>, needs: RightsNeeded): string => {
  const { namespace, user } = needs
  const rule = ({ group = "", resource, verbs }: Right) =>
    `  - { apiGroups: ["${group}"], resources: ["${resource}"], verbs: [${verbs.map((verb) => `"${verb}"`).join(", ")}] }`
  const [, of, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user ?? "") ?? []
  const subject =
    account === undefined
      ? `{ kind: User, name: ${JSON.stringify(user ?? "THE USER OF THIS PROCESS")}, apiGroup: rbac.authorization.k8s.io }`
      : `{ kind: ServiceAccount, name: ${quoted(account)}, namespace: ${quoted(of!)} }`
  const name = [
    "flame",
    ...(account === undefined ? [nameOfUser(user)] : of === namespace ? [account] : [of, account]),
    ...(needs.key === "secret" || needs.secretEnv ? [] : ["pods"]),
    ...(needs.portForward ? ["portforward"] : [])
  ].join("-")
  return [
    "apiVersion: rbac.authorization.k8s.io/v1",
    "kind: Role",
    `metadata: { name: ${name}, namespace: ${quoted(namespace)} }`,
    "rules:",
    ...rights.map(rule),
    "  # these only help to explain failures, and to clean up after a parent that is killed",
    ...helping.map(rule),
    "---",
    "apiVersion: rbac.authorization.k8s.io/v1",
    "kind: RoleBinding",
    `metadata: { name: ${name}, namespace: ${quoted(namespace)} }`,
    `roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: ${name} }`,
    `subjects: [${subject}]`,
    ""
  ].join("\n")
}

/** A name as YAML text: `1234`, `1e3` and `no` are names of namespaces, and would be a number or a boolean without quotes. */
const quoted = (name: string): string =>
  /^[a-z][a-z0-9.-]*$/.test(name) && !/^(true|false|yes|no|on|off|null|y|n)$/.test(name) ? name : JSON.stringify(name)

/** A user as part of a name. Users that differ only in characters which a name cannot hold get different hashes. */
const nameOfUser = (user: string | undefined): string => {
  const text = user ?? "parent"
  const plain = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
  return plain === text ? plain : [plain, hash(8, text)].filter((part) => part !== "").join("-")
}
