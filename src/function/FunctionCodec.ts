/**
 * How the values of a function travel: its payload, success and error as bytes, and back.
 *
 * Codecs are compiled at their first use, so that neither declaring a function nor serving many of them costs anything.
 *
 * A side is *sync* when no part of its schema can suspend or need a service. Then the plain functions are to be used;
 * else the ones that give an Effect, which needs what the schema needs, and still is an `Exit` wherever it can be.
 */
import type { AnyFunction, AnyImplemented } from "./FlameFunction.ts"
import { type ItemCodec, makeItemCodec } from "../schema/ItemCodec.ts"
import { CodecError, defaultMaxValue, isBare, makeSchemaCodec, type SchemaCodec } from "../schema/SchemaCodec.ts"
import type { Problem } from "../schema/SchemaProblems.ts"

export { type Defect, decodeDefect, encodeDefect } from "./DefectCodec.ts"
export { CodecError } from "../schema/SchemaCodec.ts"

/** What `InvalidPayload` tells of an error of encoding; undefined where it is no mismatch of value and schema. */
export const payloadIssues = (error: unknown): ReadonlyArray<Problem> | undefined =>
  error instanceof CodecError ? error.problems : undefined

/** The codec of a function, made once per function. */
export const of = (fn: AnyFunction | AnyImplemented): FunctionCodec => {
  // whatever is implemented was declared, though its type does not repeat it
  const declared = fn as AnyFunction
  let codec = codecs.get(declared)
  if (codec === undefined) codecs.set(declared, (codec = new FunctionCodec(declared)))
  return codec
}

const codecs = new WeakMap<AnyFunction, FunctionCodec>()

/**
 * Encodes and decodes the values of one function. What does not fit its schema throws or fails with a `CodecError`;
 * anything else that is thrown is a defect of the schema's own code.
 *
 * Encoded bytes may be a view into a buffer shared with other messages, or, for a schema that is just bytes, the
 * caller's own: copy or send them before the next turn, or keep the view, which nobody overwrites.
 * `owned` bytes may become part of the value; others are copied where the value would keep them.
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

  /** Whether an item has no length of its own before it. */
  get isItemBare(): boolean {
    return isBare(this.fn.success)
  }

  /** Fingerprint of the function's schemas. */
  get layout(): string {
    return this.fn.layout
  }
}
