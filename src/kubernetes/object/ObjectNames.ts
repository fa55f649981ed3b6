/**
 * The names of a parent's objects in the cluster: its runners' pods and its Secrets. Also the identity of the parent, which
 * is a part of these names and a label.
 *
 * The API server never chooses a name (`generateName`): a create whose answer was lost can be repeated under the same name.
 */
import { createHash } from "node:crypto"

/** Characters of a pod's name that is a host name too, and of a label's value, at most. */
const limit = 63

/** A part of a name: characters that DNS does not allow become a hyphen. */
const dnsPart = (text: string, length: number): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, length)
    .replace(/^-+|-+$/g, "")

/** A hash of texts, of that many hexadecimal digits. */
export const hash = (length: number, ...texts: ReadonlyArray<string>): string =>
  createHash("sha256").update(JSON.stringify(texts)).digest("hex").slice(0, length)

/** A text as the value of a label: other characters become hyphens, and a text that is too long ends in a hash of the whole. */
export const labelValue = (text: string): string => {
  const plain = text.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "")
  return plain === ""
    ? hash(10, text)
    : plain.length <= limit
      ? plain
      : `${plain.slice(0, limit - 11)}-${hash(10, text)}`
}

/** The identity of a parent process among all others. */
export interface ParentIdentity {
  /** Value of the label `flame.dev/parent`. */
  readonly label: string
  /** The prefix of the names of its Secrets. */
  readonly secrets: string
}

/**
 * The identity of a process in a pod, which survives a restart of the container. `instance` tells processes of one container
 * apart.
 */
export const inCluster = (uid: string, container: string, instance: string = "0"): ParentIdentity => {
  const isPlain = /^[A-Za-z0-9]+$/.test(instance)
  const plain = `${uid}.${container}.${instance}`
  // `a` with instance `b-0` and `a-b` with instance `0` must differ
  const suffix = /^[a-z0-9]+$/.test(instance) ? instance : hash(10, instance)
  return {
    label: isPlain && plain.length <= limit ? plain : `${uid}.${hash(16, container, instance)}`,
    secrets: `flame-${dnsPart(uid, 8)}-${container}-${suffix}`
  }
}

/** The identity of a process outside of the cluster: the same user, program and host have the same identity again. */
export const external = (host: string, user: string, entry: string, instance: string = "0"): ParentIdentity => {
  const label = `ext-${hash(16, host, user, entry, instance)}`
  return { label, secrets: `flame-${label}` }
}

/**
 * The name of a runner's pod: its pool and id, and a hash that tells runners of other parents and lives apart.
 *
 * At most 63 characters, so that the name is a host name too.
 */
export const podName = (
  parent: ParentIdentity,
  runner: { readonly id: string; readonly pool: string; readonly life: string }
): string => {
  const pool = dnsPart(runner.pool.slice(runner.pool.lastIndexOf("/") + 1), 20)
  const id = dnsPart(runner.id, limit)
  const readable = id.startsWith(pool) ? id : `${pool}-${id}`
  return `${dnsPart(readable, limit - 11) || "runner"}-${hash(10, parent.label, runner.life, runner.pool, runner.id)}`
}

/** The two names of Secrets, which the lives of a parent use in turn. */
export type SecretTurn = "a" | "b"

/** The name of the Secret that holds the variables of a layer, the `index`th one of a life that has any. */
export const valuesName = (parent: ParentIdentity, turn: SecretTurn, index: number): string =>
  `${secretName(parent, turn)}-env${index}`

/** The name of the `index`th Secret of a life, from 1 on: `…-a`, `…-a2`, `…-a3`. */
export const secretName = (parent: ParentIdentity, turn: SecretTurn, index: number = 1): string =>
  `${parent.secrets}-${turn}${index === 1 ? "" : index}`
