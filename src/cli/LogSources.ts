/** The streams that lines of runners come from: parents that answer, and the logs of pods. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { KubeError } from "../kubernetes/api/KubeError.ts"
import { containerName } from "../kubernetes/template/PodTemplate.ts"
import type { RunnerView } from "./cluster/Inventory.ts"
import type { Found } from "./Finding.ts"
import * as Logs from "./screen/Logs.ts"
import type { Parent } from "./status/Parents.ts"
import { lines, type NoStatus } from "./status/StatusSource.ts"

/** The requested lines. */
export interface Wanted {
  /** Ids of runners or names of their pods; none means all. */
  readonly runners: ReadonlyArray<string>
  readonly follow: boolean
  readonly function: string | undefined
  /** Milliseconds of age, at most. */
  readonly since: number | undefined
  /** Whether the logs of pods are read also if their parent answers. */
  readonly pods: boolean
}

/** Lines of each pod without `--since`, at most. */
const tail = 200

/** A stream of lines. */
export interface Source {
  /** Tells sources apart, also when parents are looked for again. */
  readonly key: string
  /** The parent or the pod, for people. */
  readonly name: string
  /** The parent, for the lines of a parent. */
  readonly parent: Parent | undefined
  /** Whether no line comes after the end of the stream: its runner has ended. */
  readonly isOver: boolean
  /** The lines. `onOpen` runs once the stream is known to be open. */
  readonly lines: (onOpen: () => void) => Stream.Stream<Logs.Line, NoStatus | KubeError>
}

const ofParent = (parent: Parent, wanted: Wanted, now: number): ReadonlyArray<Source> => {
  const { document, source } = parent
  if (document === undefined || source === undefined || wanted.pods) return []
  const since = wanted.since === undefined ? undefined : now - wanted.since
  const ids = new Set([
    ...wanted.runners,
    ...(parent.view?.runners ?? []).filter(({ pod }) => wanted.runners.includes(pod)).map(({ id }) => id)
  ])
  const path = Logs.pathOf({ function: wanted.function, since, follow: wanted.follow })
  const linesOf = (onOpen: () => void) =>
    Stream.flatMap(
      lines({ ...source, open: (path) => Effect.tap(source.open(path), () => Effect.sync(onOpen)) }, path),
      (text) => {
        const line = Logs.ofParent(text)
        // A line without a runner is the parent's own: it says how many lines are missing.
        return line === undefined || (ids.size > 0 && line.runner !== "" && !ids.has(line.runner))
          ? Stream.empty
          : Stream.make(line)
      }
    )
  return [{ key: `parent ${source.name}`, name: parent.name, parent, isOver: false, lines: linesOf }]
}

const isWanted = ({ id, pod }: RunnerView, { runners }: Wanted): boolean =>
  runners.length === 0 || runners.includes(id) || runners.includes(pod)

const ofPods = (found: Found, wanted: Wanted): ReadonlyArray<Source> => {
  const { cluster, parents } = found
  if (cluster === undefined || wanted.function !== undefined) return []
  const since = wanted.since === undefined ? { tail } : { sinceSeconds: Math.max(1, Math.ceil(wanted.since / 1_000)) }
  return parents
    .filter(({ document }) => wanted.pods || document === undefined)
    .flatMap(({ view }) => view?.runners ?? [])
    .filter((runner) => runner.node !== undefined && isWanted(runner, wanted))
    .map(({ id, pod, state }) => ({
      key: `pod ${pod}`,
      name: pod,
      parent: undefined,
      isOver: state === "ended",
      lines: (onOpen) =>
        Stream.map(cluster.logs(pod, { container: containerName, follow: wanted.follow, ...since }), (text) => {
          onOpen()
          return Logs.ofPod(id, text)
        }).pipe(
          // A container that has not started has no log yet.
          Stream.catchIf(
            (error) => error.status === 400 || error.status === 404,
            () => Stream.empty
          )
        )
    }))
}

/** The sources of all wanted lines. `now`: the moment from which `since` counts, in milliseconds since 1970. */
export const sourcesOf = (found: Found, wanted: Wanted, now: number): ReadonlyArray<Source> => [
  ...found.parents.flatMap((parent) => ofParent(parent, wanted, now)),
  ...ofPods(found, wanted)
]
