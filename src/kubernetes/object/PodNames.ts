/**
 * How the objects of a parent are named: its own identity, its runners' pods, its Secrets.
 *
 * Names are ours, never the server's (`generateName`): a create whose answer was lost is then repeated safely.
 */
import { createHash } from "node:crypto"

/** Longest name of a pod that is a host name too, and longest value of a label. */
const limit = 63

/** A part of a name: what DNS cannot hold becomes one hyphen. */
const dnsPart = (text: string, length: number): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, length)
    .replace(/^-+|-+$/g, "")

/** A hash of texts, of that many hexadecimal digits. */
export const hash = (length: number, ...texts: ReadonlyArray<string>): string =>
  createHash("sha256").update(JSON.stringify(texts)).digest("hex").slice(0, length)

/** Text as a label may hold it: other characters are hyphens, and what is too long ends in a hash of it all. */
export const labelValue = (text: string): string => {
  const plain = text.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "")
  return plain === ""
    ? hash(10, text)
    : plain.length <= limit
      ? plain
      : `${plain.slice(0, limit - 11)}-${hash(10, text)}`
}

/** What tells one parent process from all others; made once per process. */
export interface ParentIdentity {
  /** Value of the label `flame.dev/parent`. */
  readonly label: string
  /** What the names of its Secrets begin with. */
  readonly secrets: string
}

/** A process in a pod: it stays the same when its container restarts. `instance` is for several processes in one container. */
export const inCluster = (uid: string, container: string, instance: string = "0"): ParentIdentity => {
  const isPlain = /^[A-Za-z0-9]+$/.test(instance)
  const plain = `${uid}.${container}.${instance}`
  // a hyphen of the instance could be one of the container: `a` with `b-0`, and `a-b` with `0`
  const suffix = /^[a-z0-9]+$/.test(instance) ? instance : hash(10, instance)
  return {
    label: isPlain && plain.length <= limit ? plain : `${uid}.${hash(16, container, instance)}`,
    secrets: `flame-${dnsPart(uid, 8)}-${container}-${suffix}`
  }
}

/** A process outside the cluster: it stays the same when the same user starts the same program on the same host again. */
export const external = (host: string, user: string, entry: string, instance: string = "0"): ParentIdentity => {
  const label = `ext-${hash(16, host, user, entry, instance)}`
  return { label, secrets: `flame-${label}` }
}

/**
 * Name of a runner's pod: readable by its pool and id, and unlike that of any runner of another parent or life.
 *
 * At most 63 characters, fit for a host name.
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

/** Which of the two Secrets that lives of a parent take turns with. */
export type SecretTurn = "a" | "b"

/** Name of the Secret that holds the variables of a layer, the `index`th one of a life that has any. */
export const valuesName = (parent: ParentIdentity, turn: SecretTurn, index: number): string =>
  `${secretName(parent, turn)}-env${index}`

/** Name of the `index`th Secret of a life, from 1 on: `…-a`, `…-a2`, `…-a3`. */
export const secretName = (parent: ParentIdentity, turn: SecretTurn, index: number = 1): string =>
  `${parent.secrets}-${turn}${index === 1 ? "" : index}`
