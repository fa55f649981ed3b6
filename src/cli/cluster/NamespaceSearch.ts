/** Whether the namespace of a command exists: the API server lists a namespace that does not exist as an empty one. */
import * as Effect from "effect/Effect"
import { Cluster, type KubeObject } from "./Cluster.ts"
import { CommandFailed } from "./CommandFailed.ts"
import { namespaces } from "./Resources.ts"

/** The number of letters to insert, remove or replace between two words. */
const distance = (left: string, right: string): number => {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at)
  for (let at = 0; at < left.length; at++) {
    const next = [at + 1]
    for (let other = 0; other < right.length; other++) {
      const replaced = row[other]! + (left[at] === right[other] ? 0 : 1)
      next.push(Math.min(replaced, row[other + 1]! + 1, next[other]! + 1))
    }
    row = next
  }
  return row.at(-1)!
}

/** The name that somebody may have meant; undefined if none is near. */
export const nearest = (name: string, all: ReadonlyArray<string>): string | undefined => {
  const [best] = all
    .map((each) => ({ each, far: distance(name, each) }))
    .filter(({ far }) => far <= (name.length < 4 ? 1 : Math.max(2, Math.floor(name.length / 3))))
    .toSorted((left, right) => left.far - right.far)
  return best?.each
}

/** The failure of a command whose namespace does not exist. Undefined if it exists, or this user may not look. */
export const missing: Effect.Effect<CommandFailed | undefined, never, Cluster> = Effect.gen(function* () {
  const { client, get, list } = yield* Cluster
  const found = yield* get(namespaces, client.namespace)
  if (found !== undefined) return undefined
  const all = yield* Effect.orElseSucceed(list(namespaces), (): ReadonlyArray<KubeObject> => [])
  const near = nearest(
    client.namespace,
    all.map(({ metadata: { name = "" } }) => name)
  )
  const hint = near === undefined ? "" : `; did you mean ${near}?`
  return new CommandFailed({
    status: 1,
    message: `there is no namespace ${client.namespace} on ${client.server}${hint}`
  })
}).pipe(Effect.orElseSucceed(() => undefined))
