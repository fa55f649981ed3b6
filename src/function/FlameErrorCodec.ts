/** Encodes a FlameError: the answer of a parent to a function whose nested call failed. */
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { printableLine } from "../error/PeerText.ts"
import { FlameError, PoolMissing } from "../error/FlameError.ts"

// Compiled at the first failure, not at boot.
let toJson: ((error: FlameError) => unknown) | undefined
let fromJson: ((value: unknown) => Exit.Exit<FlameError, unknown>) | undefined

export const encode = (error: FlameError): Buffer => {
  toJson ??= Schema.encodeUnknownSync(Schema.toCodecJson(FlameError)) as (error: FlameError) => unknown
  return Buffer.from(JSON.stringify(toJson(error)))
}

export const decode = (bytes: Uint8Array): FlameError => {
  fromJson ??= Schema.decodeUnknownExit(Schema.toCodecJson(FlameError))
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8")
  try {
    const exit = fromJson(JSON.parse(text))
    if (Exit.isSuccess(exit)) return exit.value
  } catch {
    // Not JSON: reported below.
  }
  const detail = `its parent refused the call with a reason that cannot be read here: ${printableLine(text, 200)}`
  return new FlameError({ reason: new PoolMissing({ pool: "?", function: "?", detail }) })
}
