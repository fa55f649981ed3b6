/** All parents that can be found: by labels in a namespace, and by sockets on this machine. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { StatusDocument } from "../../status/record/StatusDocument.ts"
import { Cluster } from "../cluster/Cluster.ts"
import type * as Inventory from "../cluster/Inventory.ts"
import { local, type NoStatus, ofPod, read, type StatusSource } from "./StatusSource.ts"

/** A parent: its objects in the cluster, its own status, and its address. At least one of the three exists. */
export interface Parent {
  readonly name: string
  readonly view: Inventory.ParentView | undefined
  readonly document: StatusDocument | undefined
  readonly source: StatusSource | undefined
  /** Why the parent did not answer. */
  readonly silence: NoStatus | undefined
}

/** Parents that are asked at once. */
const concurrency = 8

/** A parent among `known` that answered at this address before. */
const knownAt = (known: ReadonlyArray<Parent>, address: string): Parent | undefined =>
  known.find(({ document, source }) => document !== undefined && source?.name === address)

/**
 * The parents of this machine that answer. A socket without an answer belongs to a parent that has ended. Parents in
 * `known` are not asked again.
 */
export const ofMachine = (known: ReadonlyArray<Parent>): Effect.Effect<ReadonlyArray<Parent>> =>
  Effect.suspend(() =>
    Effect.map(
      Effect.forEach(local(), (source) => ofSocket(source, known), { concurrency }),
      (all) => all.flat()
    )
  )

const ofSocket = (source: StatusSource, known: ReadonlyArray<Parent>): Effect.Effect<ReadonlyArray<Parent>> => {
  const before = knownAt(known, source.name)
  if (before !== undefined) return Effect.succeed([{ ...before, view: undefined }])
  return Effect.map(Effect.result(read(source)), (result): ReadonlyArray<Parent> => {
    if (Result.isFailure(result)) {
      if (result.failure.kind === "absent") return []
      return [{ name: source.name, view: undefined, document: undefined, source, silence: result.failure }]
    }
    const document = result.success
    return [{ name: nameOf(document), view: undefined, document, source, silence: undefined }]
  })
}

/** The name of a process of this machine: its program and its pid. */
const nameOf = ({ parent }: StatusDocument): string => `${parent.program.split("/").at(-1)} (pid ${parent.pid})`

/** The pod of a parent, if it can be asked. */
const podOf = ({ pod }: Inventory.ParentView): string | undefined =>
  pod?.status?.phase === "Running" ? pod.metadata.name : undefined

/** The parents of a namespace, each asked through a port-forward. Parents in `known` are not asked again. */
export const ofCluster = (
  views: ReadonlyArray<Inventory.ParentView>,
  known: ReadonlyArray<Parent>
): Effect.Effect<ReadonlyArray<Parent>, never, Cluster> =>
  Effect.gen(function* () {
    const { client } = yield* Cluster
    return yield* Effect.forEach(
      views,
      Effect.fnUntraced(function* (view) {
        const pod = podOf(view)
        const base = { name: view.name, view, document: undefined, source: undefined, silence: undefined }
        if (pod === undefined) return base
        const before = knownAt(known, pod)
        if (before !== undefined) return { ...base, document: before.document, source: before.source }
        const source = ofPod(client, pod)
        const result = yield* Effect.result(read(source))
        return Result.isSuccess(result)
          ? { ...base, document: result.success, source }
          : { ...base, silence: result.failure, source: result.failure.kind === "absent" ? undefined : source }
      }),
      { concurrency }
    )
  })

/**
 * Joins the knowledge of the cluster and of this machine about the same process: runners carry the life of their
 * parent.
 */
export const joined = (here: ReadonlyArray<Parent>, there: ReadonlyArray<Parent>): ReadonlyArray<Parent> => {
  const lifeOf = ({ document }: Parent): string | undefined => document?.parent.life
  const used = new Set<Parent>()
  const all = there.map((parent): Parent => {
    const own = here.find((each) => parent.view?.lives.includes(lifeOf(each) ?? "") === true)
    if (own === undefined || parent.document !== undefined) return parent
    used.add(own)
    return { ...own, view: parent.view }
  })
  // The namespace was asked for; parents of this machine are shown beside it.
  return [...all, ...here.filter((each) => !used.has(each))]
}

/** Why parents in pods could not be asked, as one sentence for all of them. Undefined if they were. */
export const obstacle = (parents: ReadonlyArray<Parent>): string | undefined => {
  const kinds = new Set(parents.flatMap(({ silence }) => (silence === undefined ? [] : [silence.kind])))
  if (kinds.has("uninstalled")) {
    return `parents in pods were not asked: ${parents.find(({ silence }) => silence?.kind === "uninstalled")?.silence?.detail}`
  }
  return kinds.has("forbidden")
    ? "parents in pods were not asked, because the right to create pods/portforward is missing: runners are shown by their labels alone"
    : undefined
}
