/**
 * Encodes and decodes the values of a function: its payload, success, error and items.
 *
 * A codec is compiled at its first use: declaring a function, or serving many, costs nothing.
 *
 * A codec is *sync* when no part of its schema can suspend or need a service: callers then use `encode` and `decode`.
 * Otherwise callers use `encodeEffect` and `decodeEffect`, which need the services of the schema. Their Effect is an `Exit`
 * wherever nothing suspends.
 */
import * as Effect from "effect/Effect"
import { FlameError, InvalidPayload, PayloadTooLarge } from "../error/FlameError.ts"
import type { AnyEffect } from "./AnyEffect.ts"
import type { AnyFunction, AnyImplemented } from "./FlameFunction.ts"
import { type ItemCodec, makeItemCodec } from "../schema/ItemCodec.ts"
import { CodecError, isBare, makeSchemaCodec, type SchemaCodec } from "../schema/SchemaCodec.ts"
import { defaultMaxValue, ValueTooLarge } from "../schema/bound/ValueLimits.ts"

export { type Defect, decodeDefect, encodeDefect } from "./DefectCodec.ts"
export { CodecError } from "../schema/SchemaCodec.ts"

/** The codec of a function, made once per function. */
export const of = (fn: AnyFunction | AnyImplemented): FunctionCodec => {
  // An implemented function was declared, although its type does not say so.
  const declared = fn as AnyFunction
  let codec = codecs.get(declared)
  if (codec === undefined) codecs.set(declared, (codec = new FunctionCodec(declared)))
  return codec
}

const codecs = new WeakMap<AnyFunction, FunctionCodec>()

/**
 * The codecs of one function. A value that does not fit its schema throws or fails with a `CodecError`, a value over
 * `maxValue` with `ValueTooLarge`. Anything else that is thrown is a defect of the schema's own code.
 *
 * Encoded bytes may be a view of a buffer that other messages share, and nobody overwrites them. For a schema that is just
 * bytes they may be the caller's own. Decoding may keep `owned` bytes in the value, and copies all others.
 */
export class FunctionCodec {
  private readonly fn: AnyFunction
  private payloadCodec: SchemaCodec | undefined
  private successCodec: SchemaCodec | undefined
  private errorCodec: SchemaCodec | undefined
  private itemCodec: ItemCodec | undefined

  constructor(fn: AnyFunction) {
    this.fn = fn
  }

  private get maxValue(): number {
    return this.fn.maxValue ?? defaultMaxValue
  }

  /** Encodes what the schema's `make` takes: fills in defaults, makes instances of plain objects. */
  get payload(): SchemaCodec {
    return (this.payloadCodec ??= makeSchemaCodec(this.fn.payload, {
      what: `the payload of ${this.fn.name}`,
      isMade: true,
      maxValue: this.maxValue
    }))
  }

  /**
   * Encodes a payload and passes the bytes on: at once where the codec is sync, else when its Effect completes. A payload
   * that does not fit fails here, before anything is sent.
   */
  encodePayload(payload: unknown, then: (bytes: Uint8Array) => AnyEffect): AnyEffect {
    if (!this.payload.isSync) return this.encodePayloadLater(payload, then)
    let bytes: Uint8Array
    try {
      bytes = this.payload.encode(payload)
    } catch (error) {
      return invalidPayload(this.fn.name, error)
    }
    return then(bytes)
  }

  /** Encodes a payload by an Effect, also where the codec is sync. */
  encodePayloadLater(payload: unknown, then: (bytes: Uint8Array) => AnyEffect): AnyEffect {
    return Effect.matchEffect(this.payload.encodeEffect(payload), {
      onFailure: (error) => invalidPayload(this.fn.name, error),
      onSuccess: then
    })
  }

  get success(): SchemaCodec {
    return (this.successCodec ??= makeSchemaCodec(this.fn.success, {
      what: `${this.fn.stream ? "an item" : "the result"} of ${this.fn.name}`,
      copiesViews: true,
      maxValue: this.maxValue
    }))
  }

  get error(): SchemaCodec {
    return (this.errorCodec ??= makeSchemaCodec(this.fn.error, {
      what: `the error of ${this.fn.name}`,
      copiesViews: true,
      maxValue: this.maxValue
    }))
  }

  /** Encodes the items of a stream together. */
  get items(): ItemCodec {
    return (this.itemCodec ??= makeItemCodec(this.fn.success, {
      what: `an item of ${this.fn.name}`,
      copiesViews: true,
      maxValue: this.maxValue
    }))
  }

  /** Whether items have no encoding of their own: raw bytes, or nothing. */
  get isItemBare(): boolean {
    return isBare(this.fn.success)
  }

  /** Fingerprint of the function's schemas. */
  get layout(): string {
    return this.fn.layout
  }
}

/** Turns an error of encoding into the caller's failure. Anything else that the schema's own code throws is a defect. */
const invalidPayload = (name: string, error: unknown): AnyEffect => {
  if (error instanceof ValueTooLarge) {
    const { limit, size } = error
    const reason = new PayloadTooLarge({ function: name, size, limit, direction: "payload", option: "maxValue" })
    return Effect.fail(new FlameError({ reason }))
  }
  if (!(error instanceof CodecError)) return Effect.die(error)
  return Effect.fail(new FlameError({ reason: new InvalidPayload({ function: name, issues: [...error.problems] }) }))
}
