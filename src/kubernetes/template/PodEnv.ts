/** The variables of a runner: what it inherits of its parent's, and what makes it a runner. */
import * as Redacted from "effect/Redacted"
import type { RunnerSpec } from "../../backend/Backend.ts"
import * as RoleVariables from "../../process/RoleVariables.ts"
import type { Container, EnvVar, Fields } from "../object/KubeObjects.ts"

/** How a runner and its parent find and know each other. */
export interface LinkSetup {
  /** Where a runner dials, `10.1.2.3:9345,[fd00::1]:9345`, or the port where it is dialled through the API server. */
  readonly dial: string | { readonly listen: number }
  /** The name that the runner says its key by. */
  readonly identity: string
  /** The runner's key: an entry of a Secret, or itself. */
  readonly key: { readonly secret: string; readonly entry: string } | Redacted.Redacted<string>
}

const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } })

/** What every runner has, first of all, so that other variables can name them as `$(POD_IP)`. */
const own: ReadonlyArray<EnvVar> = [
  field("POD_NAME", "metadata.name"),
  field("POD_NAMESPACE", "metadata.namespace"),
  field("POD_IP", "status.podIP")
]

const isReserved = (name: string): boolean =>
  RoleVariables.isVariable(name) || own.some((variable) => variable.name === name)

/** One list of variables over another, by name. */
export const over = (below: ReadonlyArray<EnvVar>, above: ReadonlyArray<EnvVar>): ReadonlyArray<EnvVar> => {
  const names = new Set(above.map(({ name }) => name))
  return [...below.filter(({ name }) => !names.has(name)), ...above]
}

/** The entry of a Secret that holds the value of a variable of `secretEnv`. */
export const secretEntry = (variable: string): string => `env-${variable.replace(/[^-._a-zA-Z0-9]/g, "_")}`

/** All variables of a runner's container; of two with one name the later stands. */
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

/** Whether a text names a path in a directory: `--require=/opt/agent/a.js` does for `/opt/agent`, `/opt/agents` does not. */
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

/**
 * The parent's variables that hold for a runner too, and a line for each that does not.
 *
 * One that names a file in a volume that the runner lacks would make its program fail at the first use, or not start at all
 * (`NODE_OPTIONS`), so it is left out, and so is one that is made of such a one.
 */
export const inherited = (
  container: Container,
  has: (volume: string) => boolean,
  replaced: ReadonlySet<string>
): { readonly env: ReadonlyArray<EnvVar>; readonly warnings: ReadonlyArray<string> } => {
  const env: Array<EnvVar> = []
  const warnings: Array<string> = []
  const left = new Set<string>()
  for (const variable of container.env ?? []) {
    const { name } = variable
    if (RoleVariables.isVariable(name) || replaced.has(name)) continue
    const why = whyNot(variable, container, has, left)
    if (why === undefined) env.push(retold(variable))
    else {
      left.add(name)
      warnings.push(
        `runners do not get the variable ${name}: ${why}; list that volume in \`volumes\`, or set it in \`env\``
      )
    }
  }
  return { env, warnings }
}

const whyNot = (
  { value, valueFrom }: EnvVar,
  container: Container,
  has: (volume: string) => boolean,
  left: ReadonlySet<string>
): string | undefined => {
  const file = (valueFrom?.["fileKeyRef"] as Fields | undefined)?.["volumeName"]
  if (typeof file === "string" && !has(file)) return `it is read from volume ${file}, which they do not have`
  const about = (valueFrom?.["resourceFieldRef"] as Fields | undefined)?.["containerName"]
  if (typeof about === "string" && about !== container.name)
    return `it tells of the container ${about}, which they do not have`
  if (value === undefined) return undefined
  for (const mount of container.volumeMounts ?? []) {
    if (!has(mount.name) && namesPath(value, mount.mountPath))
      return `it names ${mount.mountPath} of volume ${mount.name}, which they do not have`
  }
  for (const name of left) if (value.includes(`$(${name})`)) return `it is made of ${name}, which they do not get`
  return undefined
}

/** A variable that tells of the parent's container by name tells of the runner's. */
const retold = (variable: EnvVar): EnvVar => {
  const resource = variable.valueFrom?.["resourceFieldRef"] as Fields | undefined
  if (resource?.["containerName"] === undefined) return variable
  const { containerName: _, ...rest } = resource
  return { ...variable, valueFrom: { ...variable.valueFrom, resourceFieldRef: rest } }
}
