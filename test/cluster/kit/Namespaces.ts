/** Makes a namespace for each test file, with accounts that have a part of the rights that runners need. */
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, inject } from "vitest"
import { type KubeObject, request, until } from "./Api.ts"
import { collection, create } from "./Cluster.ts"

/** The rights of a parent: to pods only, to Secrets too, or also to events and logs that explain failures. */
export type Rights = "pods" | "secrets" | "full"

const pods = { apiGroups: [""], resources: ["pods"], verbs: ["create", "get", "list", "watch", "delete"] }
const secrets = { apiGroups: [""], resources: ["secrets"], verbs: ["create", "delete"] }
const events = { apiGroups: ["", "events.k8s.io"], resources: ["events"], verbs: ["list"] }
const logs = { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] }
/** The right to the Job that owns the objects of a parent's life. */
const jobs = { apiGroups: ["batch"], resources: ["jobs"], verbs: ["create", "get", "patch", "delete"] }
// Over WebSocket the API server requires both verbs.
const portForward = { apiGroups: [""], resources: ["pods/portforward"], verbs: ["create", "get"] }

/** The three Roles of the README, and the further rights of a parent outside of the cluster. */
export const roles: Readonly<Record<Rights | "forward", ReadonlyArray<KubeObject>>> = {
  pods: [pods],
  secrets: [pods, secrets],
  full: [pods, secrets, events, logs, jobs],
  forward: [pods, secrets, events, logs, jobs, portForward]
}

/** The account of a parent with these rights. */
export const account = (rights: keyof typeof roles = "full"): string => (rights === "full" ? "app" : `app-${rights}`)

/** The namespace of a test file, from its first test to its last. */
export class Namespace {
  name = ""

  /** Creates an object of the core API, or of apps, in this namespace. */
  create(resource: string, object: KubeObject): Effect.Effect<KubeObject> {
    return create(this.name, resource, object)
  }
}

const grant = (namespace: string, rights: keyof typeof roles): Effect.Effect<unknown> =>
  Effect.gen(function* () {
    const name = `flame-${rights}`
    yield* create(namespace, "serviceaccounts", { metadata: { name: account(rights) } })
    yield* create(namespace, "roles", { metadata: { name }, rules: roles[rights] })
    yield* create(namespace, "rolebindings", {
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
      subjects: [{ kind: "ServiceAccount", name: account(rights), namespace }]
    })
  })

/** Makes a namespace with these labels, such as those of Pod Security. */
export const make = (name: string, labels: Readonly<Record<string, string>> = {}): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { run } = inject("cluster")
    yield* Effect.orDie(
      request("POST", "/api/v1/namespaces", { metadata: { name, labels: { "effect-flame-test": run, ...labels } } })
    )
    // This account has no rights.
    yield* create(name, "serviceaccounts", { metadata: { name: "runner" } })
    const all = Object.keys(roles) as ReadonlyArray<keyof typeof roles>
    yield* Effect.forEach(all, (rights) => grant(name, rights), { concurrency: "unbounded", discard: true })
    // A pod that names no account needs the default account, and is refused until that exists.
    const isThere = ([found]: ReadonlyArray<KubeObject>) => found !== undefined
    yield* until(collection(name, "serviceaccounts"), { name: "default" }, isThere, "the account default is there")
  })

/** Deletes a namespace with everything in it. Does not wait for the end. */
export const remove = (name: string): Effect.Effect<void> =>
  Effect.asVoid(Effect.orDie(request("DELETE", `/api/v1/namespaces/${name}`)))

/** Gives a test file a namespace, which is deleted at the file's end. */
export const ofFile = (topic: string, labels: Readonly<Record<string, string>> = {}): Namespace => {
  const namespace = new Namespace()
  beforeAll(async () => {
    namespace.name = `flame-${inject("cluster").run}-${topic}`
    await Effect.runPromise(make(namespace.name, labels))
  })
  afterAll(() => Effect.runPromise(remove(namespace.name)))
  return namespace
}

/** A token of an account, valid for an hour, as in a person's kubeconfig. */
export const token = (namespace: string, account: string): Effect.Effect<string> =>
  Effect.map(
    Effect.orDie(
      request("POST", `${collection(namespace, "serviceaccounts")}/${account}/token`, {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { expirationSeconds: 3600 }
      })
    ),
    ({ status }) => status.token as string
  )
