/**
 * Runners that are pods: with nothing configured, the parent's own container once more, for as long as it is needed.
 *
 * The parent makes, watches and deletes them by its service account; runners have no rights at all.
 */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import type { Severity } from "effect/LogLevel"
import * as Queue from "effect/Queue"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Backend, type BootPhase, type RunnerSpec } from "../backend/Backend.ts"
import { ApiUnavailable, InvalidSpec, type BootFailure } from "../error/BootFailure.ts"
import * as NodeArguments from "../backend/NodeArguments.ts"
import * as Entry from "../process/Entry.ts"
import * as DrainBudget from "./hub/DrainBudget.ts"
import * as HubPool from "./hub/HubPool.ts"
import type { KubeClient } from "./api/KubeClient.ts"
import type * as KubeClientLive from "./api/KubeClientLive.ts"
import type { KubeUnconfigured } from "./api/KubeError.ts"
import type { Hub, HubOptions } from "./hub/KubeHub.ts"
import type { Pod } from "./object/KubeObjects.ts"
import { Once } from "./hub/Once.ts"
import { secretEntry } from "./template/PodEnv.ts"
import * as PodChanges from "./template/PodChanges.ts"
import type { RunnerPodParts } from "./PodCreation.ts"
import type { PodOptions } from "./template/PodOptions.ts"
import * as PodLeftOut from "./template/PodLeftOut.ts"
import * as PodTemplate from "./template/PodTemplate.ts"
import * as Clearance from "./Clearance.ts"
import { RunnerPod } from "./RunnerPod.ts"

/** How the cluster is reached, what runners' pods are, and how they find their parent. */
export interface Options extends PodOptions, Omit<HubOptions, "container">, KubeClientLive.Options {
  /**
   * Where the `KubeClient` comes from. `"provided"`: from the context, of which the type of the layer requires it, so that a
   * test cannot reach a real cluster. Not set: from the context where one is provided, else from the service account or
   * the kubeconfig; but never a real one while a `KubeMock` exists in the process.
   */
  readonly client?: "provided"
  /**
   * The file that runners run, at the same path in their image as here: for an app whose runners have an entry of their
   * own. Where not given they run what this process runs.
   */
  readonly entry?: string | URL
  /**
   * How long room in a quota may take, and as long again a place for the runner on a node; 10 minutes where not given.
   * `bootTimeout` counts from there.
   */
  readonly scheduleTimeout?: Duration.Input
  /** Level at which each pod that is made, connected and deleted is logged; not at all where not given. */
  readonly log?: Severity
  /** What code this process runs, as its runners name theirs. */
  readonly build?: string
}

const defaults = { bootTimeout: 120_000, reasonGrace: 3_000, bootPatience: 300_000 } as const

/** How much of a boot's time may go by with the API server's first answers. */
const startShare = 0.9

const noStart =
  "the Kubernetes API has not yet answered what is asked of it at the start: see whether its address can be reached from here"

const scheduleTimeout = Duration.minutes(10)

/**
 * Starts runners as pods, from the scope on until its end, which deletes them all.
 *
 * Fails where there is no way to an API server. What the API server says fails the boots instead, because it may be mended
 * while the app runs.
 */
export const make: (options?: Options) => Effect.Effect<Backend["Service"], KubeUnconfigured, Scope.Scope> =
  Effect.fnUntraced(function* (options: Options = {}) {
    const scope = yield* Effect.scope
    const hub = yield* HubPool.acquire(options)
    const parts = new Once(prepare(hub, options), scope)
    // beside the start of the app: what is found out before the first call is not waited for by it
    yield* Effect.forkIn(Effect.exit(parts.get), scope)

    let hasWarned = false
    const launch = Effect.fnUntraced(function* (spec: RunnerSpec) {
      // the start goes on for the next boot; this one is told what it waited for while it can be told at all
      const ready = yield* Effect.timeoutOrElse(parts.get, {
        duration: spec.bootTimeout * startShare,
        orElse: () => Effect.fail(new ApiUnavailable({ detail: noStart }))
      })
      const short = hasWarned ? undefined : DrainBudget.shortage(ready.hub.parent?.pod, spec)
      if (short !== undefined) {
        hasWarned = true
        yield* Effect.logWarning(short)
      }
      const phases = yield* Queue.unbounded<BootPhase, Cause.Done>()
      const run = yield* FiberSet.makeRuntime<never>()
      return yield* new RunnerPod(ready, spec, phases, run).start
    })

    return Backend.of({
      name: "kubernetes",
      build: options.build ?? "unnamed",
      defaults,
      onOutage: (listener) => hub.outages.listen(listener),
      drainBudget: (drainTimeout) => DrainBudget.left(hub, drainTimeout),
      launch
    })
  })

/**
 * The backend whose runners are pods.
 *
 * Fails with `KubeUnconfigured` where there is no way to an API server. With `client: "provided"` the layer requires a
 * `KubeClient`, such as that of `KubeMock` in tests.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: {
  (options: Options & { readonly client: "provided" }): Layer.Layer<Backend, KubeUnconfigured, KubeClient>
  (options?: Options): Layer.Layer<Backend, KubeUnconfigured>
} = (options?: Options): Layer.Layer<Backend, KubeUnconfigured> => Layer.effect(Backend, make(options))

/** What all pods of a layer have in common, once it is known that the cluster will have them. */
const prepare = (hub: Once<Hub, BootFailure>, options: Options): Effect.Effect<RunnerPodParts, BootFailure> =>
  Effect.gen(function* () {
    const known = yield* hub.get
    const template = PodTemplate.make(
      withEntry(options, known.parent !== undefined),
      known.parent,
      known.identity,
      known.dialBack?.listener.port
    )
    if (template instanceof InvalidSpec) return yield* Effect.fail(template)
    const { key = "secret", secretEnv } = options
    const may = yield* Clearance.ask(known, template, key)
    yield* warnOfLeftOut(known.identity.label, template.leftOut)
    return {
      hub: known,
      template,
      key,
      may,
      owner: options.ownerReference === false ? () => undefined : known.owner,
      values: secretEnv === undefined ? undefined : known.keys.values(entriesOf(secretEnv)),
      scheduleTimeout: Duration.toMillis(options.scheduleTimeout ?? scheduleTimeout),
      compare: yield* tellOnce,
      say: yield* sayAt(options.log)
    }
  })

/** Outside the cluster the entry is a file of this machine, which says nothing of the image. */
const withEntry = (options: Options, isInCluster: boolean): PodOptions => {
  const { command, entry } = options
  if (entry === undefined || command !== undefined || !isInCluster) return options
  const runs = [process.execPath, ...NodeArguments.filter(process.execArgv), Entry.pathOf(entry) ?? String(entry)]
  return { ...options, command: runs, args: [] }
}

const entriesOf = (secretEnv: NonNullable<PodOptions["secretEnv"]>): Record<string, Redacted.Redacted<string>> =>
  Object.fromEntries(Object.entries(secretEnv).map(([name, value]) => [secretEntry(name), value]))

/** Warnings about the parent's specification that this process has logged, each with its parent. */
const warned = new Set<string>()

/** Logs what runners go without: once for each distinct list, though several layers of a process have the same one. */
const warnOfLeftOut = (parent: string, leftOut: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const key = JSON.stringify([parent, ...leftOut])
    if (leftOut.length === 0 || warned.has(key)) return Effect.void
    warned.add(key)
    return Effect.logWarning(PodLeftOut.warningOf(leftOut))
  })

/** Logs what admission changed of runners, once for each distinct change: a CPU limit of a LimitRange makes boots take seconds. */
const tellOnce: Effect.Effect<RunnerPodParts["compare"]> = Effect.map(Effect.context<never>(), (context) => {
  const told = new Set<string>()
  return (sent: Pod, made: Pod) => {
    const changes = PodChanges.changesOf(sent, made).join("\n")
    if (changes === "" || told.has(changes)) return
    told.add(changes)
    Effect.runForkWith(context)(Effect.logWarning(changes))
  }
})

const sayAt = (level: Severity | undefined): Effect.Effect<(message: string) => void> =>
  Effect.map(Effect.context<never>(), (context) => {
    if (level === undefined) return () => {}
    const log = Effect.logWithLevel(level)
    return (message) => void Effect.runForkWith(context)(log(message))
  })
