/**
 * What the two sides of a session tell each other first.
 *
 * A runner says Hello when it can serve, its parent answers Welcome or Refuse; a runner that cannot serve says Fail.
 */
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { BootFailure, NotARunner, VersionMismatch } from "../BootFailure.ts"
import { protocol } from "./Frame.ts"

/** A runner introduces itself. `functions` are names with the fingerprint of their schemas' layout. */
export const Hello = Schema.Struct({
  protocol: Schema.Int,
  build: Schema.String,
  runner: Schema.String,
  life: Schema.String,
  functions: Schema.Array(Schema.Tuple([Schema.String, Schema.String]))
})
export interface Hello extends Schema.Schema.Type<typeof Hello> {}

/** The parent's answer: the limits of this session. Sizes in bytes, durations in milliseconds. */
export const Welcome = Schema.Struct({
  cancelGrace: Schema.Number,
  drainTimeout: Schema.Number,
  maxPayload: Schema.Number,
  maxResult: Schema.Number
})
export interface Welcome extends Schema.Schema.Type<typeof Welcome> {}

const decoder = <S extends Schema.ConstraintDecoder<unknown, never>>(schema: S) => {
  const decode = Schema.decodeUnknownExit(Schema.toCodecJson(schema))
  return (bytes: Uint8Array): S["Type"] | undefined => {
    try {
      const exit = decode(JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8")))
      return Exit.isSuccess(exit) ? exit.value : undefined
    } catch {
      return undefined
    }
  }
}

// only the version is looked at before the versions are known to agree: the rest may have another shape in another one
const decodeVersion = decoder(Schema.Struct({ protocol: Schema.Int }))
const decodeHello = decoder(Hello)
export const decodeWelcome: (bytes: Uint8Array) => Welcome | undefined = decoder(Welcome)
const decodeCause = decoder(BootFailure)

/** The failure in a Fail or Refuse frame. */
export const decodeFailure = (bytes: Uint8Array): BootFailure =>
  decodeCause(bytes) ?? new NotARunner({ detail: "it refused in a way that is not understood here" })

/** Checks a runner's Hello against who it should be. */
export const checkHello = (
  bytes: Uint8Array,
  expected: { readonly runner: string; readonly life: string; readonly fingerprints: ReadonlyMap<string, string> }
): Hello | BootFailure => {
  const version = decodeVersion(bytes)
  if (version === undefined) return new NotARunner({ detail: "what dialled back is not a runner of this library" })
  if (version.protocol !== protocol) {
    return new VersionMismatch({ what: "protocol", parent: `${protocol}`, runner: `${version.protocol}` })
  }
  const hello = decodeHello(bytes)
  if (hello === undefined) return new NotARunner({ detail: "it introduced itself in a way that is not understood here" })
  if (hello.runner !== expected.runner || hello.life !== expected.life) {
    return new NotARunner({
      detail: `it is runner ${hello.runner} of life ${hello.life}, expected was ${expected.runner} of ${expected.life}`
    })
  }
  for (const [name, fingerprint] of hello.functions) {
    const ours = expected.fingerprints.get(name)
    if (ours !== undefined && ours !== fingerprint) return layoutMismatch(name, ours, fingerprint, hello.build)
  }
  return hello
}

/** The refusal of a function whose schemas have another layout on the runner. */
export const layoutMismatch = (name: string, parent: string, runner: string, runnerBuild: string): VersionMismatch =>
  new VersionMismatch({ what: `the schemas of ${name}`, parent: `layout ${parent}`, runner: `layout ${runner} (build ${runnerBuild})` })
