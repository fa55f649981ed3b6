/**
 * Encodes and decodes the values of a function: its payload, success, error and items.
 *
 * A codec is compiled at its first use: declaring a function, or serving many, costs nothing.
 *
 * A codec is *sync* when no part of its schema can suspend or need a service: callers then use `encode` and `decode`.
 * Otherwise callers use `encodeEffect` and `decodeEffect`, which need the services of the schema. Their Effect is an `Exit`
 * wherever nothing suspends.
 */
import type { AnyFunction, AnyImplemented } from "./FlameFunction.ts"
import { type ItemCodec, makeItemCodec } from "../schema/ItemCodec.ts"
import { CodecError, isBare, makeSchemaCodec, type SchemaCodec } from "../schema/SchemaCodec.ts"
import { defaultMaxValue } from "../schema/bound/ValueLimits.ts"
import type { Problem } from "../schema/SchemaProblems.ts"

export { type Defect, decodeDefect, encodeDefect } from "./DefectCodec.ts"
export { CodecError } from "../schema/SchemaCodec.ts"

/** The issues of `InvalidPayload` for an error of encoding; undefined if the error is no mismatch of value and schema. */
export const payloadIssues = (error: unknown): ReadonlyArray<Problem> | undefined =>
  error instanceof CodecError ? error.problems : undefined

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
