import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import { type BootFailure, isTransient } from "../../../src/error/BootFailure.ts"
import type { Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import * as PodDiagnosis from "../../../src/kubernetes/verdict/PodDiagnosis.ts"
import type { ExitReason } from "../../../src/error/RunnerExit.ts"
import type { Recording } from "../fixtures/scenarios.ts"

const read = (name: string): Recording =>
  JSON.parse(Fs.readFileSync(new URL(`../fixtures/${name}.json`, import.meta.url), "utf8"))

/** The clock, in milliseconds, at a moment of a recording. */
const clock = (recording: Recording, at: number): number =>
  Date.parse(recording.history[0]?.pod.metadata.creationTimestamp ?? "") + at

interface Told {
  readonly verdict: PodDiagnosis.BootVerdict
  /** Milliseconds since the create. */
  readonly at: number
}

/** Replays a recording as a backend would see it, up to the verdict that ends the boot. */
const diagnosed = (name: string): Told => {
  const recording = read(name)
  let told: Told = { verdict: { _tag: "Waiting" }, at: 0 }
  let stuckSince: number | undefined
  for (const { at, pod } of recording.history) {
    const { verdict } = PodDiagnosis.bootOf(pod, { now: clock(recording, at), stuckSince })
    told = { verdict, at }
    if (verdict._tag === "Failed") return told
    stuckSince = verdict._tag === "Fails" ? verdict.since : undefined
  }
  return told
}

const causeOf = (verdict: PodDiagnosis.BootVerdict): BootFailure => {
  assert.notStrictEqual(verdict._tag, "Waiting", "it waits")
  return (verdict as { cause: BootFailure }).cause
}

describe("a pod that will never serve", () => {
  const rows: ReadonlyArray<readonly [name: string, cause: BootFailure["_tag"], words: RegExp, within: number]> = [
    ["image-never-pull", "ImagePull", /not on node\d, and `imagePullPolicy: Never` forbids pulling it/, 5_000],
    ["image-invalid-name", "ImagePull", /InvalidImageName: .*correct its name/, 5_000],
    ["secret-missing", "InvalidSpec", /on node\d: .*secret "nope" not found; create what is missing/, 15_000],
    ["secret-key-missing", "InvalidSpec", /couldn't find key nope in ConfigMap/, 15_000],
    ["run-as-root", "InvalidSpec", /runAsUser breaks non-root policy/, 15_000],
    ["command-not-found", "InvalidSpec", /"nope": executable file not found.*correct `command`/, 3_000],
    ["exit-3", "ProcessExited", /exited with code 3 .*\n {2}Error: no database at db:5432/s, 3_000],
    ["exit-0", "NotARunner", /exit code 0 instead of serving: check that `command`/, 3_000],
    ["reported", "VersionMismatch", /protocol differs: the parent has 1, the runner has 2/, 3_000],
    ["killed", "ProcessExited", /was killed by SIGKILL/, 3_000],
    ["out-of-memory", "OutOfMemory", /\(limit 96Mi\)/, 5_000],
    ["init-fails", "Crashed", /exit code 4: its init container migrate failed/, 5_000],
    ["deadline", "Removed", /longer than its activeDeadlineSeconds/, 10_000],
    ["deleted", "Removed", /somebody deleted it/, 5_000],
    ["evicted-by-api", "Removed", /it was evicted: Eviction API/, 5_000],
    ["preempted", "Removed", /it was preempted: default-scheduler: preempting/, 5_000],
    ["evicted-by-kubelet", "Removed", /Evicted: Pod ephemeral local storage usage exceeds/, 30_000],
    ["kubelet-refuses-cpu", "Unschedulable", /node1 refused it: OutOfcpu/, 3_000],
    ["kubelet-refuses-selector", "Unschedulable", /node1 refused it: .*NodeAffinity/, 3_000]
  ]

  it.each(rows)("[C90] %s is reported as %s", (name, cause, words, within) => {
    const { at, verdict } = diagnosed(name)
    assert.strictEqual(verdict._tag, "Failed")
    assert.strictEqual(causeOf(verdict)._tag, cause)
    assert.match(causeOf(verdict).message, words)
    assert.isBelow(at, within)
  })

  it("is retried only if that can help without a change by somebody", () => {
    const again = rows.filter(([name]) => isTransient(causeOf(diagnosed(name).verdict))).map(([name]) => name)
    assert.deepStrictEqual(again, [
      "killed",
      "out-of-memory",
      "deadline",
      "deleted",
      "evicted-by-api",
      "preempted",
      "evicted-by-kubelet",
      "kubelet-refuses-cpu",
      "kubelet-refuses-selector"
    ])
  })
})

describe("a pod that may still serve", () => {
  it("[C90] has 25 s for an image that cannot be pulled, counted once however its reason changes", () => {
    const recording = read("image-missing")
    const reasons = new Set<string | undefined>()
    let first: number | undefined
    for (const { at, pod } of recording.history) {
      const now = clock(recording, at)
      const { verdict } = PodDiagnosis.bootOf(pod, { now, stuckSince: first })
      if (verdict._tag !== "Fails") continue
      first ??= now
      assert.deepStrictEqual([verdict.since, verdict.at], [first, first + 25_000])
      reasons.add(pod.status?.containerStatuses?.[0]?.state?.waiting?.reason)
      const late = PodDiagnosis.bootOf(pod, { now: verdict.at, stuckSince: verdict.since }).verdict
      assert.strictEqual(late._tag, "Failed")
      assert.match(
        causeOf(late).message,
        /^image localhost\/flame-record-nope:1 could not be pulled: node\d says .*ErrImagePull.*push it/
      )
    }
    assert.deepStrictEqual([...reasons], ["ErrImagePull", "ImagePullBackOff"])
  })

  it("waits for a node, and reports the scheduler's message", () => {
    for (const [name, words] of [
      ["unschedulable-cpu", /Insufficient cpu/],
      ["unschedulable-selector", /didn't match Pod's node affinity\/selector/],
      ["scheduling-gate", /a scheduling gate.*holds its pod back/]
    ] as const) {
      const { verdict } = diagnosed(name)
      assert.strictEqual(verdict._tag, "Waiting")
      assert.match((verdict as { detail: string }).detail, words)
    }
  })

  it("names the component that adds a node, if events name it", () => {
    const recording = read("unschedulable-cpu")
    const pod = recording.history.at(-1)?.pod as Pod
    const events = [...recording.events, { type: "Normal", reason: "TriggeredScaleUp", message: "pool 1->2" }]
    const { verdict } = PodDiagnosis.bootOf(pod, { now: 0, stuckSince: undefined, events })
    assert.match((verdict as { detail: string }).detail, /Insufficient cpu.*\(TriggeredScaleUp: pool 1->2\)$/)
  })

  it("requests its events when its container is not created for 10 s, and then reports them", () => {
    const recording = read("volume-missing")
    const last = recording.history.at(-1)
    assert.isDefined(last)
    const scheduled = clock(recording, 0)
    const early = PodDiagnosis.bootOf(last.pod, { now: scheduled, stuckSince: undefined }).verdict
    assert.deepStrictEqual(early, { _tag: "Waiting", askForEventsAt: scheduled + 10_000 })
    const now = scheduled + 60_000
    const asked = PodDiagnosis.bootOf(last.pod, { now, stuckSince: undefined })
    assert.deepStrictEqual(asked.verdict, { _tag: "Waiting", askForEventsAt: now })
    const told = PodDiagnosis.bootOf(last.pod, { now, stuckSince: undefined, events: recording.events })
    assert.match((told.verdict as { detail: string }).detail, /^FailedMount: .*configmap "nope" not found/)
  })

  it("is not judged by other containers, or by the phase Running", () => {
    for (const name of ["sidecar-fails", "running"]) {
      assert.deepStrictEqual(diagnosed(name).verdict, { _tag: "Waiting" })
    }
  })

  it("goes on while the kubelet starts a sidecar again, and fails with an init container", () => {
    const verdictWith = (restartPolicy: string) => {
      const status = { name: "proxy", state: { terminated: { exitCode: 1, reason: "Error" } } }
      const { spec, ...pod } = running({ phase: "Pending", initContainerStatuses: [status], containerStatuses: [] })
      const initContainers = [{ name: "proxy", restartPolicy }]
      return PodDiagnosis.bootOf({ ...pod, spec: { ...spec, initContainers } }, { now: 0, stuckSince: undefined })
        .verdict
    }
    assert.strictEqual(verdictWith("Always")._tag, "Waiting")
    assert.strictEqual(causeOf(verdictWith("Never"))._tag, "Crashed")
  })

  it("reports the steps of its boot", () => {
    const { history } = read("running")
    const steps = history.map(({ pod }) => PodDiagnosis.bootOf(pod, { now: 0, stuckSince: undefined }).phases)
    assert.deepStrictEqual(steps.at(0), [])
    assert.deepStrictEqual(
      steps.at(-1)?.map(({ name }) => name),
      ["scheduled", "pulled", "started"]
    )
    assert.match(steps.at(-1)?.[0]?.detail ?? "", /^node\d$/)
  })
})

/** A pod that runs on node1, as a kubelet reports it, with further status and metadata. */
const running = (status: Pod["status"] = {}, metadata: Pod["metadata"] = {}): Pod => {
  const pod = read("running").history.at(-1)?.pod as Pod
  return { ...pod, metadata: { ...pod.metadata, ...metadata }, status: { ...pod.status, ...status } }
}

const waiting = (reason: string, message: string): Pod =>
  running({ phase: "Pending", containerStatuses: [{ name: "runner", state: { waiting: { reason, message } } }] })

describe("failures that no test cluster can produce (written from their documentation)", () => {
  it.each([
    ["CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition", 30_000],
    ["CreateContainerError", "context deadline exceeded", 30_000],
    ["ImageInspectError", "rpc error", 25_000],
    ["RegistryUnavailable", "503", 25_000]
  ])("gives %s (%s) %d ms", (reason, message, grace) => {
    const { verdict } = PodDiagnosis.bootOf(waiting(reason, message), { now: 1_000, stuckSince: undefined })
    assert.strictEqual(verdict._tag, "Fails")
    assert.strictEqual((verdict as { at: number }).at, 1_000 + grace)
  })

  it.each([
    ["CreateContainerError", "failed to generate spec", "InvalidSpec"],
    ["RunContainerError", "no such device", "InvalidSpec"],
    ["SignatureValidationFailed", "unsigned", "ImagePull"]
  ])("fails at once at %s", (reason, message, cause) => {
    const { verdict } = PodDiagnosis.bootOf(waiting(reason, message), { now: 1_000, stuckSince: undefined })
    assert.strictEqual(verdict._tag, "Failed")
    assert.strictEqual(causeOf(verdict)._tag, cause)
  })

  it("include a report that cannot be read, which is ignored", () => {
    const terminated = { exitCode: 1, message: "effect-flame:{not json" }
    const pod = running({ containerStatuses: [{ name: "runner", state: { terminated } }] })
    assert.strictEqual(causeOf(PodDiagnosis.bootOf(pod, { now: 0, stuckSince: undefined }).verdict)._tag, "NotARunner")
  })
})

const ended = (name: string) => {
  const { history } = read(name)
  for (const { pod, type } of history) {
    const exit = PodDiagnosis.exitOf(pod, type === "DELETED")
    if (exit !== undefined) return exit
  }
  return undefined
}

describe("the end of a runner's pod", () => {
  const rows: ReadonlyArray<readonly [name: string, reason: ExitReason["_tag"], words: RegExp]> = [
    ["exit-3", "Exited", /code 3:\n {2}Error: no database/],
    ["exit-0", "Exited", /code 0/],
    ["reported", "Exited", /code 1:\n {2}protocol differs/],
    ["killed", "Killed", /SIGKILL/],
    ["out-of-memory", "OutOfMemory", /limit 96Mi/],
    ["deleted", "Deleted", /somebody deleted it/],
    ["evicted-by-api", "Evicted", /Eviction API/],
    ["preempted", "Preempted", /higher priority pod/],
    ["evicted-by-kubelet", "Evicted", /ephemeral local storage usage exceeds .*10Mi\.$/],
    ["deadline", "Killed", /its activeDeadlineSeconds/],
    ["init-fails", "Exited", /code 4/]
  ]

  it.each(rows)("%s is %s, and the runner is gone", (name, tag, words) => {
    const exit = ended(name)
    assert.strictEqual(exit?.reason._tag, tag)
    assert.match(exit?.reason.message ?? "", words)
    assert.isTrue(exit?.gone)
  })

  it("is unknown while the pod runs", () => {
    assert.isUndefined(ended("running"))
    assert.isUndefined(ended("image-missing"))
  })

  it("is the same however late it is seen, also after the kubelet's own deletion", () => {
    for (const name of ["deleted", "evicted-by-api", "preempted"]) {
      const { pod, type } = read(name).history.at(-1) as Recording["history"][number]
      assert.strictEqual(type, "DELETED")
      assert.strictEqual(PodDiagnosis.exitOf(pod, true)?.reason._tag, ended(name)?.reason._tag)
    }
  })

  it("leaves open whether the runner still runs if the object vanished without a report of its kubelet", () => {
    const exit = PodDiagnosis.exitOf(running(), true)
    assert.deepStrictEqual([exit?.reason._tag, exit?.gone], ["Deleted", false])
  })

  it("counts as the program's own if the program ended before the deletion", () => {
    const terminated = { exitCode: 3, finishedAt: "2026-11-22T10:00:00Z" }
    const exitOf = (deletionTimestamp: string, deletionGracePeriodSeconds: number) =>
      PodDiagnosis.exitOf(
        running(
          { containerStatuses: [{ name: "runner", state: { terminated } }] },
          { deletionTimestamp, deletionGracePeriodSeconds }
        ),
        false
      )?.reason._tag
    assert.strictEqual(exitOf("2026-11-22T10:00:40Z", 30), "Exited")
    assert.strictEqual(exitOf("2026-11-22T10:00:20Z", 30), "Deleted")
  })

  // Written from the documentation of the components that report these.
  it.each([
    ["DeletionByPodGC", "PodGC: node no longer exists", "NodeLost"],
    ["TerminationByKubelet", "The node was low on resource: memory.", "Evicted"],
    ["TerminationByKubelet", "Pod was terminated in response to imminent node shutdown.", "Preempted"],
    ["DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", "Evicted"]
  ])("tells a disruption for what it is: %s (%s) is %s", (reason, message, tag) => {
    const conditions = [{ type: "DisruptionTarget", status: "True", reason, message }]
    assert.strictEqual(PodDiagnosis.exitOf(running({ conditions }), true)?.reason._tag, tag)
  })

  it("on a lost node names the node, and leaves open whether the runner still runs", () => {
    const conditions = [
      { type: "Ready", status: "False" },
      { type: "ContainersReady", status: "True" },
      { type: "DisruptionTarget", status: "True", reason: "DeletionByTaintManager", message: "deleting" }
    ]
    const pod = running({ conditions })
    const exit = PodDiagnosis.exitOf(pod, true)
    assert.strictEqual(exit?.reason.message, `its node ${pod.spec.nodeName} is gone`)
    assert.isFalse(exit?.gone)
  })

  it("on a node that shuts down is reported as a node shutdown, as with spot capacity", () => {
    const message = "Pod was terminated in response to imminent node shutdown."
    assert.strictEqual(
      PodDiagnosis.exitOf(running({ phase: "Failed", reason: "Terminated", message }), false)?.reason._tag,
      "Preempted"
    )
  })
})

describe("a pod that must go", () => {
  const leaving = (pod: Pod, drainTimeout = 30_000) => {
    const found = PodDiagnosis.leavingOf(pod, drainTimeout)
    return found === undefined ? undefined : { why: found.why, reason: found.reason._tag, budget: found.budget }
  }

  it("has its grace period less 3 s, at most drainTimeout, whatever its timestamps [C160]", () => {
    for (const deletionTimestamp of ["1999-11-22T10:00:40Z", "2026-11-22T10:00:40Z", "2099-11-22T10:00:40Z"]) {
      const deleted = (deletionGracePeriodSeconds: number) =>
        running({}, { deletionTimestamp, deletionGracePeriodSeconds })
      assert.deepStrictEqual(leaving(deleted(40)), {
        why: "somebody deleted it",
        reason: "Deleted",
        budget: 30_000
      })
      assert.strictEqual(leaving(deleted(10))?.budget, 7_000)
      assert.strictEqual(leaving(deleted(1))?.budget, 0)
    }
  })

  it("is known from an eviction, before its deletion, with the time that the deletion will give", () => {
    const recording = read("evicted-by-api")
    const first = recording.history.find(({ pod }) => leaving(pod) !== undefined)
    assert.isUndefined(first?.pod.metadata.deletionTimestamp)
    assert.deepStrictEqual(leaving(first?.pod as Pod), {
      why: "it was evicted: Eviction API: evicting",
      reason: "Evicted",
      budget: 2_000
    })
  })

  it("is also a pod whose node does not answer", () => {
    const pod = running({
      conditions: [
        { type: "Ready", status: "False" },
        { type: "ContainersReady", status: "True" }
      ]
    })
    assert.deepStrictEqual(leaving(pod), {
      why: `its node ${pod.spec.nodeName} does not answer`,
      reason: "NodeLost",
      budget: Infinity
    })
  })

  it("may stay while one of its readiness gates is not open: its node answers", () => {
    const { spec, ...pod } = running({
      conditions: [
        { type: "Ready", status: "False", reason: "ReadinessGatesNotReady" },
        { type: "ContainersReady", status: "True" }
      ]
    })
    const gated = { ...pod, spec: { ...spec, readinessGates: [{ conditionType: "example.com/in-service" }] } }
    assert.isUndefined(leaving(gated))
    const conditions = [...pod.status!.conditions!, { type: "example.com/in-service", status: "True" }]
    assert.strictEqual(leaving({ ...gated, status: { ...pod.status, conditions } })?.reason, "NodeLost")
  })

  it("has no limit if it was evicted because its node is silent, and a limit once somebody deletes it [C161]", () => {
    const conditions = [
      { type: "Ready", status: "False" },
      { type: "ContainersReady", status: "True" }
    ]
    const deleted = { deletionTimestamp: "2026-11-22T10:00:40Z", deletionGracePeriodSeconds: 10 }
    const target = { type: "DisruptionTarget", status: "True" }
    const evicted = running({ conditions: [...conditions, { ...target, reason: "DeletionByTaintManager" }] }, deleted)
    assert.deepInclude(leaving(evicted), { reason: "NodeLost", budget: Infinity })
    assert.deepInclude(leaving(running({ conditions }, deleted)), { reason: "Deleted", budget: 7_000 })
    const byApi = running({ conditions: [...conditions, { ...target, reason: "EvictionByEvictionAPI" }] }, deleted)
    assert.deepInclude(leaving(byApi), { reason: "Evicted", budget: 7_000 })
    const tainted = running({ conditions: [{ ...target, reason: "DeletionByTaintManager" }] }, deleted)
    assert.deepInclude(leaving(tainted), { reason: "Evicted", budget: 7_000 })
  })

  it("is not a pod that runs, or is not ready for a reason of its own", () => {
    assert.isUndefined(leaving(running()))
    const conditions = ["Ready", "ContainersReady"].map((type) => ({ type, status: "False" }))
    assert.isUndefined(leaving(running({ conditions })))
  })
})

describe("the last output of a runner", () => {
  it("is requested if the cause has none, and reported with the cause", () => {
    const cause = causeOf(diagnosed("killed").verdict)
    assert.isTrue(PodDiagnosis.wantsLog(cause))
    const told = PodDiagnosis.withLog(cause, "Segmentation fault")
    assert.match(told.message, /killed by SIGKILL .*\n {2}Segmentation fault/s)
    assert.isFalse(PodDiagnosis.wantsLog(told))
    assert.isFalse(PodDiagnosis.wantsLog(causeOf(diagnosed("exit-3").verdict)))
  })
})
