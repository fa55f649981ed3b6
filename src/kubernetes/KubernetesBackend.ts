/**
 * The backend whose runners are pods: without configuration, copies of the parent's own container.
 *
 * The parent creates, watches and deletes the pods with the rights of its service account. Runners have no rights.
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
import { withConfinedLoggers } from "../error/ConfinedLoggers.ts"
import { ApiUnavailable, InvalidSpec, type BootFailure } from "../error/BootFailure.ts"
import * as Code from "../code/PreparedCode.ts"
import * as NodeArguments from "../process/NodeArguments.ts"
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
import * as PodCode from "./template/PodCode.ts"
import * as PodChanges from "./template/PodChanges.ts"
import type { RunnerPodParts } from "./PodCreation.ts"
import type { PodOptions } from "./template/PodOptions.ts"
import * as PodLeftOut from "./template/PodLeftOut.ts"
import * as PodTemplate from "./template/PodTemplate.ts"
import * as RightsCheck from "./RightsCheck.ts"
import { RunnerPod } from "./RunnerPod.ts"

/**
 * Options of the backend: the access to the cluster, the pods of runners, and how runners connect to their parent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends PodOptions, PodCode.CodeChoice, Omit<HubOptions, "container">, KubeClientLive.Options {
  /**
   * Where the `KubeClient` comes from. `"provided"`: from the context, of which the type of the layer requires it, so that a
   * test cannot reach a real cluster. Default: from the context if one is provided, else from the service account or the
   * kubeconfig. While a `KubeMock` exists in the process, never a real one.
   */
  readonly client?: "provided"
  /**
   * The file that runners run, at the same path in their image as on this machine, for an app with a separate entry for
   * runners. Default: the entry of this process.
   */
  readonly entry?: string | URL
  /**
   * How long a boot waits for room in a quota, and as long again for a node. Default 10 minutes. `bootTimeout` counts from
   * the moment when the pod has a node.
   */
  readonly scheduleTimeout?: Duration.Input
  /** Level at which the creation, connection and deletion of each pod is logged. Default: not logged. */
  readonly log?: Severity
  /** Name of the build that this process runs. A runner of another build is reported. Default `unnamed`. */
  readonly build?: string
}

const defaults = { bootTimeout: 120_000, reasonGrace: 3_000, bootPatience: 300_000 } as const

/** Share of `bootTimeout` that the first answers of the API server may take. */
const startShare = 0.9

const noStart =
  "the Kubernetes API has not yet answered the first requests of this process: check that its address can be reached from here"

const scheduleTimeout = Duration.minutes(10)

/**
 * Makes the backend. The end of the scope deletes all its pods and Secrets.
 *
 * Fails with `KubeUnconfigured` if there is no way to an API server. A refusal of the API server fails boots instead: it
 * may be corrected while the app runs.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<Backend["Service"], KubeUnconfigured, Scope.Scope> =>
  withConfinedLoggers(backend(options))

const backend: (options: Options) => Effect.Effect<Backend["Service"], KubeUnconfigured, Scope.Scope> =
  Effect.fnUntraced(function* (options) {
    const scope = yield* Effect.scope
    const hub = yield* HubPool.acquire(options)
    const parts = new Once(prepare(hub, options), scope)
    // Started while the app starts, so that the first call need not wait for it.
    yield* Effect.forkIn(Effect.exit(parts.get), scope)

    let hasWarned = false
    const launch = Effect.fnUntraced(function* (spec: RunnerSpec) {
      // The start goes on for the next boot. This boot fails before its `bootTimeout`, whose error would not name the
      // cause.
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
 * Fails with `KubeUnconfigured` if there is no way to an API server. With `client: "provided"` the layer requires a
 * `KubeClient`, such as that of `KubeMock` in tests.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: {
  (options: Options & { readonly client: "provided" }): Layer.Layer<Backend, KubeUnconfigured, KubeClient>
  (options?: Options): Layer.Layer<Backend, KubeUnconfigured>
} = (options?: Options): Layer.Layer<Backend, KubeUnconfigured> => Layer.effect(Backend, make(options))

/** The parts that all pods of a layer share, once the cluster is known to admit them. */
const prepare = (hub: Once<Hub, BootFailure>, options: Options): Effect.Effect<RunnerPodParts, BootFailure> =>
  Effect.gen(function* () {
    // Bundled while the API server is asked.
    const [known, early] = yield* Effect.all([hub.get, codeOf(options, isInPod())], { concurrency: 2 })
    const isInCluster = known.parent !== undefined
    const code = isInCluster === isInPod() ? early : yield* codeOf(options, isInCluster)
    const build = options.build ?? "unnamed"
    const made = PodTemplate.make(
      code === undefined ? withEntry(options, isInCluster) : PodCode.withCode(options, code, build, isInCluster),
      known.parent,
      known.identity,
      known.dialBack?.listener.port
    )
    if (made instanceof InvalidSpec) return yield* Effect.fail(made)
    const template = code === undefined ? made : PodCode.withScratch(made, code)
    const { key = "secret", secretEnv } = options
    const may = yield* RightsCheck.ask(known, template, key)
    yield* warnOfLeftOut(known.parent?.pod.metadata.uid ?? "", template.leftOut)
    if (code !== undefined) yield* warnOfVariables(code, template)
    return {
      hub: known,
      template,
      code,
      key,
      may,
      owner: options.ownerReference === false ? () => undefined : known.owner,
      values: secretEnv === undefined ? undefined : known.keys.values(entriesOf(secretEnv)),
      scheduleTimeout: Duration.toMillis(options.scheduleTimeout ?? scheduleTimeout),
      compare: yield* tellOnce,
      say: yield* sayAt(options.log)
    }
  })

const isInPod = (): boolean => process.env["KUBERNETES_SERVICE_HOST"] !== undefined

/** The code that is sent to runners. Undefined if their image has it. */
const codeOf = (options: Options, isInCluster: boolean): Effect.Effect<Code.Code | undefined, BootFailure> => {
  const choice = PodCode.choiceOf(options, isInCluster)
  if (choice === undefined) return Effect.succeed(undefined)
  const entry = choice.entry ?? options.entry
  return Code.prepare(entry === undefined ? choice : { ...choice, entry })
}

/** Logs once which variables of this process the program names and runners do not get. */
const warnOfVariables = (code: Code.Code, { container, secretEnv }: PodTemplate.PodTemplate): Effect.Effect<void> =>
  Effect.suspend(() => {
    const given = [...(container.env ?? []).map(({ name }) => name), ...secretEnv]
    const missing = container.envFrom === undefined ? PodCode.missingVariables(code, given, process.env) : []
    const key = missing.join(", ")
    if (key === "" || warned.has(key)) return Effect.void
    warned.add(key)
    return Effect.logWarning(
      `runners do not get these variables of this process, which the program names: ${key}; pass those that they need in \`env\` or \`secretEnv\``
    )
  })

/** Outside the cluster the entry is a file of this machine, not of the image. */
const withEntry = (options: Options, isInCluster: boolean): PodOptions => {
  const { command, entry } = options
  if (entry === undefined || command !== undefined || !isInCluster) return options
  const path = Entry.pathOf(entry)
  // the image of a runner is that of the parent, unless it is another one, whose files are not known here
  const file = path === undefined ? String(entry) : (Entry.built(path) ?? path)
  const runs = [process.execPath, ...NodeArguments.filter(process.execArgv), file]
  // The command line of the parent is used for runners too.
  return { ...options, command: runs, args: options.args ?? process.argv.slice(2) }
}

const entriesOf = (secretEnv: NonNullable<PodOptions["secretEnv"]>): Record<string, Redacted.Redacted<string>> =>
  Object.fromEntries(Object.entries(secretEnv).map(([name, value]) => [secretEntry(name), value]))

/** Warnings about the parent's specification that this process has logged, each with its parent. */
const warned = new Set<string>()

/**
 * Logs what runners do not inherit: once for each distinct list, also if several layers of a process have the same
 * list.
 */
const warnOfLeftOut = (parent: string, leftOut: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const key = JSON.stringify([parent, ...leftOut])
    if (leftOut.length === 0 || warned.has(key)) return Effect.void
    warned.add(key)
    return Effect.logWarning(PodLeftOut.warningOf(leftOut))
  })

/**
 * Logs the changes that admission made to runners, once for each distinct change: a CPU limit of a LimitRange makes
 * boots take seconds.
 */
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
