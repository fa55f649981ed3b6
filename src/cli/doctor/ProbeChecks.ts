/** Pure: the boot of one real runner: its phases, or the cause of its failure. */
import type { BootFailure } from "../../error/BootFailure.ts"
import type { Pod } from "../../kubernetes/object/KubeObjects.ts"
import { runnerOf } from "../../kubernetes/verdict/PodFacts.ts"
import { spoken } from "../../time/Spoken.ts"
import { type Check, fail, imageFix, ok, warn } from "./Check.ts"

/** Milliseconds of each step from the start of the boot, in the order of the steps. */
export type Phases = Readonly<Record<string, number>>

/** Milliseconds of a boot that a caller notices as slow. */
const slow = 10_000

/** A runner that has served. */
export const booted = (phases: Phases): Check => {
  const steps = Object.entries(phases).toSorted(([, left], [, right]) => left - right)
  const took = steps.at(-1)?.[1] ?? 0
  let before = 0
  const words = steps.map(([name, at]) => {
    const text = `${name} ${spoken(at - before)}`
    before = at
    return text
  })
  const line = `one real runner booted in ${spoken(took)}: ${words.join(", ")}`
  const [slowest] = steps
    .map(([name, at], index) => [name, at - (steps[index - 1]?.[1] ?? 0)] as const)
    .toSorted(([, left], [, right]) => right - left)
  return took < slow ? ok("probe", line) : warn("probe", line, { fix: `look at the longest step, ${slowest?.[0]}` })
}

/** The version of Node in the output of a program that failed: by our own sentence, or by Node's last line. */
export const nodeVersionIn = (text: string): string | undefined =>
  /this is Node v?(\d+\.\d+\.\d+)/.exec(text)?.[1] ?? /^Node\.js v(\d+\.\d+\.\d+)\s*$/m.exec(text)?.[1]

/** Whether Node is older than the oldest that runs this library. */
const isOld = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  return major < 22 || (major === 22 && minor < 19)
}

const outputOf = (cause: BootFailure): string =>
  "stderr" in cause && typeof cause.stderr === "string" ? `${cause.message}\n${cause.stderr}` : cause.message

/** A runner that did not boot. */
export const failed = (cause: BootFailure): Check => {
  const line = `one real runner did not boot: ${cause.message.replaceAll(/\s+/g, " ").slice(0, 500)}`
  const version = nodeVersionIn(outputOf(cause))
  if (version !== undefined && isOld(version)) {
    return fail("node", `the image has Node ${version}, and runners need 22.19 or newer`, {
      fix: "build the image on a newer Node, such as FROM node:24-slim"
    })
  }
  switch (cause._tag) {
    case "ImagePull":
      return fail("image", `image ${cause.image} cannot be pulled: ${cause.detail.replaceAll(/\s+/g, " ")}`, {
        fix: imageFix
      })
    case "Unschedulable":
      return fail("probe", line, { fix: "make room on the nodes, or lower the requests of runners" })
    case "NotARunner":
      return fail("probe", line, { fix: "give the command that starts the program with the functions (--options)" })
    case "ProcessExited":
    case "EntryMissing":
    case "VersionMismatch":
    case "NeverConnected":
    case "Crashed":
    case "ServicesFailed":
    case "BeforeBootFailed":
    case "LaunchFailed":
    case "EndedEarly":
    case "OutOfMemory":
    case "QuotaExceeded":
    case "Forbidden":
    case "InvalidSpec":
    case "AdmissionDenied":
    case "Removed":
    case "ApiUnavailable":
    case "ApiUnreachable":
    case "CodeUnbundled":
    case "CodeNative":
    case "CodeTooLarge":
    case "CodeMismatch":
    case "CodeUnresolved":
    case "CodeUnwritten":
    case "NodeTooOld":
      return fail("probe", line, {
        fix: "mend the cause that the line names"
      })
  }
}

/** Milliseconds of difference that rounding to whole seconds and the time of a request explain. */
const tolerance = 2_000

/** The clock of the runner's node: the start of its container must lie between the creation of its pod and now. */
export const nodeClock = (pod: Pod, now: number): ReadonlyArray<Check> => {
  const started = Date.parse(runnerOf(pod)?.state?.running?.startedAt ?? "")
  const made = Date.parse(pod.metadata.creationTimestamp ?? "")
  if (Number.isNaN(started) || Number.isNaN(made)) return []
  const off = started < made - tolerance ? started - made : started > now + tolerance ? started - now : 0
  const node = pod.spec.nodeName ?? "the node"
  if (off === 0) return [ok("clock.node", `the clock of ${node} agrees with the API server's`)]
  const words = `${spoken(Math.abs(off))} or more ${off > 0 ? "ahead of" : "behind"}`
  const fix = { fix: `set the clock of ${node} by the network: timedatectl set-ntp true` }
  return [warn("clock.node", `the clock of ${node} is ${words} the API server's: times in logs disagree`, fix)]
}
