/** Pure: whether the rights that a parent has are enough, and if not, the Role to apply. */
import { Forbidden, type BootFailure } from "../../error/BootFailure.ts"
import type { Rules } from "../api/KubeClient.ts"

/** What of the backend is in use, and who uses it where. */
export interface RightsNeeded {
  readonly key: "secret" | "env"
  /** Whether `secretEnv` has any variables. */
  readonly secretEnv: boolean
  /** Whether runners are dialled through the API server. */
  readonly portForward: boolean
  readonly namespace: string
  /** The user that the API server takes this process for, as far as known. */
  readonly user: string | undefined
}

export type RightsVerdict =
  | { readonly _tag: "Fatal"; readonly cause: BootFailure }
  /** `warnings`: what would only help to explain failures and is not there. */
  | { readonly _tag: "Fine"; readonly warnings: ReadonlyArray<string> }
  /** The API server could not list everything: a dry run must tell. */
  | { readonly _tag: "Undecided"; readonly warnings: ReadonlyArray<string> }

interface Right {
  readonly resource: string
  readonly verbs: ReadonlyArray<string>
}

/** Whether rules allow something in the core group of the API, on objects of any name. */
export const allows = ({ rules }: Rules, verb: string, resource: string): boolean =>
  rules.some(
    ({ apiGroups = [], resourceNames = [], resources = [], verbs }) =>
      has(verbs, verb) &&
      has(apiGroups, "") &&
      (has(resources, resource) ||
        resources.some((each) => each.startsWith("*/") && resource.endsWith(each.slice(1)))) &&
      resourceNames.length === 0
  )

const has = (all: ReadonlyArray<string>, one: string): boolean => all.includes(one) || all.includes("*")

/** The rights without which no runner boots. */
export const required = ({
  key,
  portForward,
  secretEnv
}: Omit<RightsNeeded, "namespace" | "user">): ReadonlyArray<Right> => [
  { resource: "pods", verbs: ["create", "get", "list", "watch", "delete"] },
  ...(key === "secret" || secretEnv ? [{ resource: "secrets", verbs: ["create", "delete"] }] : []),
  // over WebSocket the API server wants both
  ...(portForward ? [{ resource: "pods/portforward", verbs: ["create", "get"] }] : [])
]

const explaining: ReadonlyArray<Right & { readonly without: string }> = [
  {
    resource: "events",
    verbs: ["list"],
    without: "boots that wait for a volume or a network are told without their reason"
  },
  {
    resource: "pods/log",
    verbs: ["get"],
    without: "a runner that is killed before it serves is told without its last words"
  }
]

const lacking = (rules: Rules, rights: ReadonlyArray<Right>): ReadonlyArray<Right> =>
  rights
    .map(({ resource, verbs }) => ({ resource, verbs: verbs.filter((verb) => !allows(rules, verb, resource)) }))
    .filter(({ verbs }) => verbs.length > 0)

const worded = ({ resource, verbs }: Right): string => `${verbs.join(", ")} ${resource}`

/** Judges what may be done against what must be. */
export const judge = (rules: Rules, needs: RightsNeeded): RightsVerdict => {
  const rights = required(needs)
  const missing = lacking(rules, rights)
  const warnings = explaining
    .filter(({ resource, verbs }) => verbs.some((verb) => !allows(rules, verb, resource)))
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
        `with this, applied by who may, it has what it needs:\n\n${manifestOf(rights, needs)}`
      ].join("; ")
    })
  }
}

const hintOf = (missing: ReadonlyArray<Right>, { key, secretEnv }: RightsNeeded): ReadonlyArray<string> =>
  key === "secret" && !secretEnv && missing.every(({ resource }) => resource === "secrets")
    ? ['where it shall not have that, `key: "env"` puts each runner\'s key into its pod']
    : []

/** The Role, and its binding to the service account where the user is one. */
const manifestOf = (rights: ReadonlyArray<Right>, { namespace, user }: RightsNeeded): string => {
  const rule = ({ resource, verbs }: Right) =>
    `  - { apiGroups: [""], resources: ["${resource}"], verbs: [${verbs.map((verb) => `"${verb}"`).join(", ")}] }`
  const [, account] = /^system:serviceaccount:(.+)$/.exec(user ?? "") ?? []
  const [of = namespace, name = "default"] = account?.split(":") ?? []
  const subject =
    account === undefined
      ? `{ kind: User, name: "${user ?? "WHO THIS PROCESS IS"}", apiGroup: rbac.authorization.k8s.io }`
      : `{ kind: ServiceAccount, name: ${name}, namespace: ${of} }`
  return [
    "apiVersion: rbac.authorization.k8s.io/v1",
    "kind: Role",
    `metadata: { name: flame, namespace: ${namespace} }`,
    "rules:",
    ...rights.map(rule),
    "  # these only help to explain what fails",
    ...explaining.map(rule),
    "---",
    "apiVersion: rbac.authorization.k8s.io/v1",
    "kind: RoleBinding",
    `metadata: { name: flame, namespace: ${namespace} }`,
    "roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: flame }",
    `subjects: [${subject}]`,
    ""
  ].join("\n")
}
