/** The variables of a runner: inherited ones, those of the options, and those that make the process a runner. */
import * as Redacted from "effect/Redacted"
import type { RunnerSpec } from "../../backend/Backend.ts"
import * as RoleVariables from "../../process/RoleVariables.ts"
import type { Container, EnvVar, Fields } from "../object/KubeObjects.ts"
import * as PodDownward from "./PodDownward.ts"
import type { ParentPod } from "./PodParent.ts"

/** How a runner and its parent reach and authenticate each other. */
export interface LinkSetup {
  /** The addresses that a runner dials, `10.1.2.3:9345,[fd00::1]:9345`, or the port at which its parent reaches the runner. */
  readonly dial: string | { readonly listen: number }
  /** The name under which the runner uses its key. */
  readonly identity: string
  /** The runner's key: the entry of a Secret that holds the key, or the key itself. */
  readonly key: { readonly secret: string; readonly entry: string } | Redacted.Redacted<string>
}

const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } })

/** The first variables of every runner, so that later ones may refer to `$(POD_IP)`. */
const own: ReadonlyArray<EnvVar> = [
  field("POD_NAME", "metadata.name"),
  field("POD_NAMESPACE", "metadata.namespace"),
  field("POD_IP", "status.podIP")
]

const isReserved = (name: string): boolean =>
  RoleVariables.isVariable(name) || own.some((variable) => variable.name === name)

/**
 * Merges two lists of variables. A variable of `above` replaces one of the same name in `below`.
 *
 * A variable takes the place of the one that it replaces, because later variables may refer to it as `$(NAME)`. A variable
 * that itself refers to others goes to the end, where all of those are known.
 */
export const over = (below: ReadonlyArray<EnvVar>, above: ReadonlyArray<EnvVar>): ReadonlyArray<EnvVar> => {
  const names = new Set(above.map(({ name }) => name))
  const left = new Map(above.map((variable) => [variable.name, variable]))
  const result: Array<EnvVar> = []
  for (const variable of below) {
    const given = left.get(variable.name)
    if (!names.has(variable.name)) result.push(variable)
    else if (given !== undefined && given.value?.includes("$(") !== true) {
      result.push(given)
      left.delete(variable.name)
    }
  }
  return [...result, ...left.values()]
}

/** The entry of a Secret that holds the value of a variable of `secretEnv`. */
export const secretEntry = (variable: string): string => `env-${variable.replace(/[^-._a-zA-Z0-9]/g, "_")}`

/** All variables of a runner's container. */
export const complete = (
  variables: ReadonlyArray<EnvVar>,
  role: LinkSetup & { readonly spec: RunnerSpec }
): ReadonlyArray<EnvVar> => [...own, ...variables.filter(({ name }) => !isReserved(name)), ...roleOf(role.spec, role)]

const roleOf = (spec: RunnerSpec, { dial, identity, key }: LinkSetup): ReadonlyArray<EnvVar> => [
  ...Object.entries(
    RoleVariables.networkVariables(
      spec,
      identity,
      typeof dial === "string" ? { address: dial } : { listen: dial.listen }
    )
  ).map(([name, value]) => ({ name, value })),
  Redacted.isRedacted(key)
    ? { name: RoleVariables.keyVariable, value: Redacted.value(key) }
    : { name: RoleVariables.keyVariable, valueFrom: { secretKeyRef: { name: key.secret, key: key.entry } } }
]

/**
 * Whether a text names a path in a directory: `--require=/opt/agent/a.js` names one in `/opt/agent`, and `/opt/agents`
 * does not.
 */
export const namesPath = (text: string, directory: string): boolean => {
  const path = directory.replace(/\/+$/, "")
  if (path === "") return false
  for (let at = text.indexOf(path); at >= 0; at = text.indexOf(path, at + 1)) {
    const before = text[at - 1]
    const after = text[at + path.length]
    if ((before === undefined || /[\s=:,;"'@(]|\//.test(before)) && (after === undefined || /[\s/:,;"')]/.test(after)))
      return true
  }
  return false
}

/** The runner that inherits variables. */
export interface Inheritor extends PodDownward.Own {
  readonly hasVolume: (name: string) => boolean
  /** Names of variables that the options or the manifest set. */
  readonly replaced: ReadonlySet<string>
  /** Names of variables that the options remove. */
  readonly removed: ReadonlySet<string>
}

/**
 * The parent's variables for a runner, and one entry for each variable that is left out or misleads.
 *
 * A variable that names a file in a volume which the runner lacks is left out. The program would otherwise fail at the first
 * use of the file, or not start at all (`NODE_OPTIONS`). So is a variable that is made of one that is left out.
 */
export const inherited = (
  parent: ParentPod,
  to: Inheritor
): { readonly env: ReadonlyArray<EnvVar>; readonly leftOut: ReadonlyArray<string> } => {
  const env: Array<EnvVar> = []
  const leftOut: Array<string> = []
  const missing = new Set(to.removed)
  for (const variable of parent.container.env ?? []) {
    const { name } = variable
    if (RoleVariables.isVariable(name) || to.removed.has(name)) continue
    if (to.replaced.has(name)) {
      // Keeps the position of the value that replaces this one: see `over`.
      env.push(variable)
      continue
    }
    const why = whyNot(variable, parent.container, to.hasVolume, missing)
    if (why !== undefined) {
      missing.add(name)
      leftOut.push(`the variable ${name}: ${why} (set it in \`env\`)`)
      continue
    }
    const misleading = PodDownward.misleads(variable, parent)
    if (misleading !== undefined) leftOut.push(`the value of the variable ${name}, which ${misleading}`)
    env.push(PodDownward.retold(variable, parent, to))
  }
  return { env, leftOut }
}

/** Why a runner must go without a variable; undefined if the variable can be inherited. */
const whyNot = (
  { value, valueFrom }: EnvVar,
  container: Container,
  hasVolume: (name: string) => boolean,
  missing: ReadonlySet<string>
): string | undefined => {
  const file = (valueFrom?.["fileKeyRef"] as Fields | undefined)?.["volumeName"]
  if (typeof file === "string" && !hasVolume(file)) return `it is read from volume ${file}, which runners lack`
  const about = (valueFrom?.["resourceFieldRef"] as Fields | undefined)?.["containerName"]
  if (typeof about === "string" && about !== "" && about !== container.name)
    return `it describes the container ${about}, which runners lack`
  if (value === undefined) return undefined
  for (const mount of container.volumeMounts ?? []) {
    if (!hasVolume(mount.name) && namesPath(value, mount.mountPath))
      return `it names ${mount.mountPath} of volume ${mount.name}, which runners lack; or list that volume in \`volumes\``
  }
  for (const name of missing) if (value.includes(`$(${name})`)) return `it is made of ${name}, which runners lack`
  return undefined
}
