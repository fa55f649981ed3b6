/** What a runner wrote before it ended, where nothing else says why. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { BootFailure } from "../BootFailure.ts"
import type { RunnerPodParts } from "./PodCreation.ts"
import * as PodDiagnosis from "./PodDiagnosis.ts"
import { containerName } from "./PodTemplate.ts"

/** How long asking may take, in milliseconds: the reason is waited for. */
const askTime = 2_000

/** Lines of a crashed runner's output that are told. */
const lines = 20

/** The cause of a failed boot, with the end of the output of that pod where that tells more and may be read. */
export const added = ({ hub, may }: RunnerPodParts, pod: string, cause: BootFailure): Effect.Effect<BootFailure> => {
  if (!may.readLogs || !PodDiagnosis.wantsLog(cause)) return Effect.succeed(cause)
  return Effect.timeoutOption(hub.client.podLog(pod, containerName, lines), askTime).pipe(
    Effect.map(Option.match({ onNone: () => cause, onSome: (log) => PodDiagnosis.withLog(cause, log) })),
    Effect.catch(() => Effect.succeed(cause))
  )
}
