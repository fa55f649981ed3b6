/** The caller's References that cross with a call, besides budget, trace, log annotations and minimum log level. */
import type * as Context from "effect/Context"
import * as Schema from "effect/Schema"

interface Entry {
  readonly reference: Context.Reference<unknown>
  readonly encode: (value: unknown) => unknown
  readonly decode: (value: unknown) => unknown
}

/** The registered References by their keys. Calls read its size, because most apps register none. */
const entries = new Map<string, Entry>()
export const registered: ReadonlyMap<string, unknown> = entries

/**
 * Makes a Reference cross with every call: the function on its runner reads the value that the caller has set.
 *
 * Call `propagate` where the Reference is declared, so that parent and runner both do. A value that its schema cannot encode
 * is left out, and the function then sees the Reference's default. The schema needs no services.
 *
 * @example
 * ```ts
 * import { Context, Schema } from "effect"
 * import { Flame } from "effect-flame"
 *
 * const Tenant = Context.Reference<string>("app/Tenant", { defaultValue: () => "nobody" })
 * Flame.propagate(Tenant, Schema.String)
 * ```
 *
 * @since 0.1.0
 * @category calling
 */
export const propagate = <A>(reference: Context.Reference<A>, schema: Schema.ConstraintCodec<A, unknown>): void => {
  const codec = Schema.toCodecJson(schema)
  entries.set(reference.key, {
    reference: reference as Context.Reference<unknown>,
    encode: Schema.encodeUnknownSync(codec),
    decode: Schema.decodeUnknownSync(codec)
  })
}

/** Encodes the References that a context sets; undefined if it sets none. */
export const collect = (context: Context.Context<never>): Record<string, unknown> | undefined => {
  let found: Record<string, unknown> | undefined
  for (const [key, { encode }] of entries) {
    if (!context.mapUnsafe.has(key)) continue
    try {
      const encoded = encode(context.mapUnsafe.get(key))
      found ??= {}
      found[key] = encoded
    } catch {
      // A value that does not fit its schema must not make the call fail.
    }
  }
  return found
}

/** Decodes the References of `collect`. Unknown keys and values that do not fit are left out. */
export const restore = (
  encoded: Readonly<Record<string, unknown>>
): ReadonlyArray<readonly [Context.Reference<unknown>, unknown]> => {
  const restored: Array<readonly [Context.Reference<unknown>, unknown]> = []
  for (const key of Object.keys(encoded)) {
    const entry = entries.get(key)
    if (entry === undefined) continue
    try {
      restored.push([entry.reference, entry.decode(encoded[key])])
    } catch {
      // The other side has another schema for it, so the default applies.
    }
  }
  return restored
}
