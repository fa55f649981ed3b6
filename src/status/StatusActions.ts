/** The two actions of the status: `resize` a pool, `drain` a runner. */
import { isPrintable } from "../error/PeerText.ts"
import type { Resizable } from "../pool/runtime/PoolShape.ts"
import * as Pools from "../pool/runtime/Pools.ts"

/** The result of an action: done, or why not. */
export interface ActionResult {
  readonly status: 200 | 400 | 404 | 409
  readonly text: string
}

const sizes = ["min", "max", "concurrency"] as const

const refuse = (status: 400 | 404 | 409, text: string): ActionResult => ({ status, text })

const quoted = (text: string): string => JSON.stringify(isPrintable(text) ? text.slice(0, 200) : "?")

const parse = (body: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Changes `min`, `max` or `concurrency` of every pool of an id. */
export const resize = (body: string): ActionResult => {
  const wanted = parse(body)
  const id = wanted?.["pool"]
  if (typeof id !== "string") return refuse(400, 'expected {"pool": "ID", "min"?, "max"?, "concurrency"?}')
  const pools = Pools.own().filter(({ engine }) => engine.pool === id)
  if (pools.length === 0) return refuse(404, `this process has no pool ${quoted(id)}`)
  const given = sizes.filter((name) => wanted?.[name] !== undefined)
  if (given.length === 0) return refuse(400, "expected one of min, max and concurrency")
  if (given.some((name) => typeof wanted?.[name] !== "number"))
    return refuse(400, `${given.join(", ")} must be numbers`)
  const options: Resizable = Object.fromEntries(given.map((name) => [name, wanted?.[name]]))
  try {
    for (const pool of pools) pool.resize(options)
  } catch (error) {
    return refuse(400, error instanceof Error ? error.message : String(error))
  }
  return { status: 200, text: `pool ${id} has ${given.map((name) => `${name} ${String(wanted?.[name])}`).join(", ")}` }
}

/** Lets a runner end its calls within `drainTimeout`, and removes it. The pool boots another one where it needs one. */
export const drain = (body: string): ActionResult => {
  const id = parse(body)?.["runner"]
  if (typeof id !== "string") return refuse(400, 'expected {"runner": "ID"}')
  for (const { engine } of Pools.own()) {
    for (const [index, runner] of engine.runners) {
      if (runner.id !== id) continue
      if (runner.handle === undefined)
        return refuse(409, `runner ${id} boots: only a runner that serves can be drained`)
      engine.step({ _tag: "RunnerDraining", now: engine.now(), runner: index })
      return { status: 200, text: `runner ${id} drains` }
    }
  }
  return refuse(404, `this process has no runner ${quoted(id)}`)
}
