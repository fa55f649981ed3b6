/** The body of a Refused frame: a call did not run, or its result may not be sent. */
import { InvalidPayload, PayloadTooLarge } from "../error/FlameError.ts"
import { json } from "../wire/Frame.ts"

export interface Refusal {
  readonly why: unknown
  readonly size: number
  readonly limit: number
  /** The option that sets the limit, where it is not `maxResult`. */
  readonly option?: unknown
}

/** The refusal of a runner that drains: the call did not run there and may run elsewhere. */
export const encodeDraining = (): Buffer => json({ why: "draining" })

/** The refusal to send a result, or an item, of `size` bytes where the caller takes `limit`. */
export const encodeTooLarge = (size: number, limit: number, option?: "maxValue"): Buffer =>
  json({ why: "PayloadTooLarge", size, limit, option })

/** Decodes a refusal. A body that cannot be decoded counts as an empty one. */
export const decode = (body: Buffer): Refusal => {
  let said: unknown
  try {
    said = JSON.parse(body.toString("utf8"))
  } catch {
    // counts as an empty one
  }
  const { limit, option, size, why } = Object(said) as Partial<Record<keyof Refusal, unknown>>
  return { why, size: count(size), limit: count(limit), option }
}

const count = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0)

/** Whether the call may be sent to another runner. */
export const isDraining = ({ why }: Refusal): boolean => why === "draining"

/** The error of the caller, for a call that is not sent again. */
export const reasonOf = (
  name: string,
  { limit, option, size, why }: Refusal,
  runner: string
): PayloadTooLarge | InvalidPayload =>
  why === "PayloadTooLarge"
    ? new PayloadTooLarge({
        function: name,
        size,
        limit,
        direction: "result",
        ...(option === "maxValue" ? { option } : {})
      })
    : new InvalidPayload({ function: name, issues: [{ path: "", problem: `runner ${runner} refused it` }] })
