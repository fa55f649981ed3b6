/** Reads the variables of a parent's container: its own, and those of its ConfigMaps. No value of a Secret is read. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { KubeError } from "../../kubernetes/api/KubeError.ts"
import type { Container } from "../../kubernetes/object/KubeObjects.ts"
import { Cluster, type KubeObject } from "../cluster/Cluster.ts"
import { configMaps } from "../cluster/Resources.ts"
import { type Check, fail, unknown } from "./Check.ts"
import { isOption, type Variables } from "./VariableChecks.ts"

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}

/** A reference to a key, or without `key` to all keys. */
interface Reference {
  readonly name?: string
  readonly key?: string
  readonly optional?: boolean
}

/** A part of the container's variables, in the order in which later parts override earlier ones. */
type Part =
  | { readonly _tag: "Value"; readonly name: string; readonly value: string }
  | { readonly _tag: "ConfigMap"; readonly name: string; readonly of: Reference }
  | { readonly _tag: "Unread"; readonly name: string; readonly from: string }

const flame = "FLAME_"

/** Whether names with that beginning may be names of options. */
const mayBe = (beginning: string): boolean => beginning.startsWith(flame) || flame.startsWith(beginning)

const partsOf = ({ env = [], envFrom = [] }: Container): ReadonlyArray<Part> => [
  ...envFrom.flatMap((source): ReadonlyArray<Part> => {
    const {
      configMapRef,
      prefix = "",
      secretRef
    } = source as {
      readonly prefix?: string
      readonly configMapRef?: Reference
      readonly secretRef?: Reference
    }
    if (!mayBe(prefix)) return []
    if (configMapRef !== undefined) return [{ _tag: "ConfigMap", name: prefix, of: configMapRef }]
    return secretRef === undefined
      ? []
      : [{ _tag: "Unread", name: `${prefix === "" ? flame : prefix}*`, from: `Secret ${secretRef.name ?? ""}` }]
  }),
  ...env.flatMap(({ name, value, valueFrom }): ReadonlyArray<Part> => {
    if (valueFrom === undefined) return [{ _tag: "Value", name, value: value ?? "" }]
    if (!isOption(name)) return []
    const { configMapKeyRef, secretKeyRef } = valueFrom as {
      readonly configMapKeyRef?: Reference
      readonly secretKeyRef?: Reference
    }
    if (configMapKeyRef !== undefined) return [{ _tag: "ConfigMap", name, of: configMapKeyRef }]
    return [
      { _tag: "Unread", name, from: secretKeyRef === undefined ? "its pod" : `Secret ${secretKeyRef.name ?? ""}` }
    ]
  })
]

const notAllowed = (name: string, { detail, resource, verb }: KubeError): Check =>
  unknown("variables", `variables of ConfigMap ${name} could not be read: ${detail.replaceAll(/\s+/g, " ")}`, {
    fix: `run doctor as a user who may ${verb} ${resource}`
  })

const absent = (what: string, fix: string): Check =>
  fail("variables", `${what}, so that the parent's container cannot start`, { fix })

const notRead = (name: string, from: string): Check =>
  unknown(
    "variables",
    `${name} of ${from} is not read: doctor reads no value of a Secret, and none that a pod gets when it starts`,
    {
      fix: "set options of pools as plain variables or in a ConfigMap"
    }
  )

/** The variables of a reference to a ConfigMap, or the check of one that could not be read. */
const ofConfigMap = (
  { name, of: { key, name: map = "", optional = false } }: Part & { readonly _tag: "ConfigMap" },
  found: Result.Result<ConfigMap | undefined, KubeError>,
  namespace: string
): Result.Result<Readonly<Record<string, string>>, Check> => {
  if (Result.isFailure(found)) return Result.fail(notAllowed(map, found.failure))
  const object = found.success
  if (object === undefined) {
    return optional
      ? Result.succeed({})
      : Result.fail(absent(`ConfigMap ${map} does not exist`, `kubectl create configmap ${map} -n ${namespace}`))
  }
  const { data = {} } = object
  if (key === undefined) {
    return Result.succeed(Object.fromEntries(Object.entries(data).map(([each, value]) => [`${name}${each}`, value])))
  }
  const value = data[key]
  if (value !== undefined) return Result.succeed({ [name]: value })
  if (optional) return Result.succeed({})
  return Result.fail(absent(`ConfigMap ${map} has no key ${key}`, `add the key ${key} to ConfigMap ${map}`))
}

/** The variables of a container. */
export const read = (container: Container): Effect.Effect<Variables, never, Cluster> =>
  Effect.gen(function* () {
    const { client, get } = yield* Cluster
    const parts = partsOf(container)
    const names = new Set(parts.flatMap((part) => (part._tag === "ConfigMap" ? [part.of.name ?? ""] : [])))
    const maps = new Map(
      yield* Effect.forEach(
        names,
        (name) => Effect.map(Effect.result(get<ConfigMap>(configMaps, name)), (result) => [name, result] as const),
        { concurrency: 4 }
      )
    )
    const values: Record<string, string> = {}
    const unread = new Map<string, Check>()
    for (const part of parts) {
      if (part._tag === "Value") values[part.name] = part.value
      else if (part._tag === "Unread") unread.set(`${part.name} ${part.from}`, notRead(part.name, part.from))
      else {
        const read = ofConfigMap(part, maps.get(part.of.name ?? "")!, client.namespace)
        if (Result.isSuccess(read)) Object.assign(values, read.success)
        else unread.set(read.failure.line, read.failure)
      }
    }
    return { values, unread: [...unread.values()] }
  })
