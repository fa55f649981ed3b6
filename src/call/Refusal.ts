/** What a Refused frame says: that a call did not run, or that its result may not be sent. */
import { InvalidPayload, PayloadTooLarge } from "../error/FlameError.ts"

export interface Refusal {
  readonly why: unknown
  readonly size: number
  readonly limit: number
}

/** Reads one, whatever is in it: a body that cannot be read says nothing. */
export const refusalOf = (body: Buffer): Refusal => {
  let said: unknown
  try {
    said = JSON.parse(body.toString("utf8"))
  } catch {
    // as if it were empty
  }
  const { limit, size, why } = Object(said) as Partial<Record<keyof Refusal, unknown>>
  return { why, size: count(size), limit: count(limit) }
}

const count = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0)

/** What the caller is told of a call that will not be sent again. */
export const reasonOf = (
  name: string,
  { limit, size, why }: Refusal,
  runner: string
): PayloadTooLarge | InvalidPayload =>
  why === "PayloadTooLarge"
    ? new PayloadTooLarge({ function: name, size, limit, direction: "result" })
    : new InvalidPayload({ function: name, issues: [{ path: "", problem: `runner ${runner} refused it` }] })
