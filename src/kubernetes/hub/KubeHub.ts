/**
 * The hub: everything that all pools of a process share in a namespace. The hub knows the parent, and holds its listener,
 * the keys of runners, the one watch, and the pods that were given up.
 *
 * A hub starts while the app starts, so that the first call need not wait for it. The next boot repeats a start that
 * failed: an API server that is away for a minute must not end an app for good.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import type * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type { BootFailure } from "../../error/BootFailure.ts"
import { life } from "../../process/Life.ts"
import * as Psk from "../../wire/network/Psk.ts"
import { Graveyard } from "./Graveyard.ts"
import { KubeClient } from "../api/KubeClient.ts"
import type { KubeError } from "../api/KubeError.ts"
import { Once } from "./Once.ts"
import * as PodLabels from "../object/PodLabels.ts"
import * as ProcessMark from "./ProcessMark.ts"
import type * as ObjectNames from "../object/ObjectNames.ts"
import * as Lifeline from "./Lifeline.ts"
import type { OwnerReference } from "../object/KubeObjects.ts"
import type { PodOptions } from "../template/PodOptions.ts"
import * as PodParent from "../template/PodParent.ts"
import { Outages } from "../watch/Outages.ts"
import * as PodWatch from "../watch/PodWatch.ts"
import { ShutdownDeadline } from "./ShutdownDeadline.ts"
import { QuotaGate } from "./QuotaGate.ts"
import * as HubParent from "./HubParent.ts"
import * as DialBack from "./DialBack.ts"
import { reap } from "./Reaping.ts"
import { refuse } from "../verdict/MissingRights.ts"
import { RunnerKeys } from "./RunnerKeys.ts"

/** Options of the connection between runners and their parent. */
export interface HubOptions extends HubParent.ParentOptions {
  /**
   * Where a runner finds its key. `secret`, the default: in a Secret. `env`: in the specification of its pod, for a
   * parent that may not create Secrets. Everybody with the right to read pods can then read the key.
   */
  readonly key?: "secret" | "env"
  /** Variables whose values are in a Secret. They need the right to create one. */
  readonly secretEnv?: NonNullable<PodOptions["secretEnv"]>
}

export interface Hub {
  readonly client: Context.Service.Shape<typeof KubeClient>
  readonly life: string
  readonly parent: PodParent.ParentPod | undefined
  readonly identity: ObjectNames.ParentIdentity
  readonly watch: PodWatch.PodWatch
  readonly graveyard: Graveyard
  readonly quota: QuotaGate
  /** The listener that runners dial. Undefined if runners are reached through the API server. */
  readonly dialBack: DialBack.DialBack | undefined
  readonly keyOf: (index: number) => Redacted.Redacted<string>
  /** The Secrets of this life. With `key: "env"` they hold only values of `secretEnv`. */
  readonly keys: RunnerKeys
  /** Names of pods of runners of this process. All other pods of this life are strays. */
  readonly living: Set<string>
  /** The owner of objects that are created now: the Job of `Lifeline`, else the parent's pod, else none. */
  readonly owner: () => OwnerReference | undefined
  /** Checks in the background whether that owner still exists. */
  readonly checkOwner: () => void
  readonly nextIndex: () => number
  /** Milliseconds of the wall clock, for comparisons with timestamps that the cluster sets on pods. */
  readonly now: () => number
  /** Milliseconds on the monotonic clock, for durations. */
  readonly uptime: () => number
  readonly deadline: ShutdownDeadline
}

/** Names of pods of runners, of all hubs. All hubs share one life, and hubs of one parent see each other's pods. */
const living = new Set<string>()

type Client = Context.Service.Shape<typeof KubeClient>

/** Milliseconds that the end of a hub waits for the API server. */
export const finalDeleteTime = 4_000

/** The hub of a client. The hub starts at its first use. */
export const make = (client: Client, options: HubOptions, scope: Scope.Scope): HubStart => {
  const outages = new Outages(client.server)
  const start = Effect.gen(function* () {
    // A failed start releases its port and its name, which the next one needs.
    const attempt = yield* Scope.fork(scope)
    const started = Effect.provideService(Scope.provide(begin(client, options, outages), attempt), KubeClient, client)
    return yield* Effect.onError(started, (cause) => Scope.close(attempt, Exit.failCause(cause)))
  })
  return new HubStart(start, scope, outages)
}

/** The start of a hub, which all callers share. `outages` reports outages from the first list of pods on. */
export class HubStart extends Once<Hub, BootFailure> {
  readonly outages: Outages

  constructor(start: Effect.Effect<Hub, BootFailure>, scope: Scope.Scope, outages: Outages) {
    super(start, scope)
    this.outages = outages
  }
}

const begin = Effect.fnUntraced(function* (client: Client, options: HubOptions, outages: Outages) {
  const run = yield* FiberSet.makeRuntime<never>()
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const now = () => clock.currentTimeMillisUnsafe()
  const uptime = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const parent = yield* HubParent.find(client, options, refused(client, options, false))
  const identity = yield* Effect.acquireRelease(
    Effect.sync(() => HubParent.takeIdentity(parent, options)),
    HubParent.releaseIdentity
  )
  const master = Psk.makeMaster()
  const keyOf = (index: number) => Psk.keyOf(master, life, index)
  const dialBack = yield* DialBack.open(parent?.pod, options, master)
  const quota = new QuotaGate()
  const labels = { [PodLabels.managedBy]: "effect-flame", [PodLabels.parent]: identity.label }
  const mark = parent === undefined ? { [PodLabels.process]: JSON.stringify(ProcessMark.own(options.program)) } : {}
  const annotations = { [PodLabels.life]: life, ...mark }
  const [watch, lifeline] = yield* Effect.all(
    [
      PodWatch.make({ selector: PodLabels.selector(identity), outages }).pipe(
        Effect.catch(refused(client, options, dialBack === undefined))
      ),
      Lifeline.make({
        client,
        prefix: identity.secrets,
        life,
        labels,
        annotations,
        owner: parent === undefined ? undefined : PodParent.ownerOf(parent),
        image: parent?.container.image ?? "none",
        uptime
      })
    ],
    { concurrency: 2 }
  )
  const keys = new RunnerKeys({ client, identity, labels, annotations, owner: lifeline.owner, keyOf, scope })
  const graveyard = new Graveyard(client, watch, run, uptime, () => quota.wake())
  let index = 0
  const hub: Hub = {
    client,
    life,
    parent,
    identity,
    watch,
    graveyard,
    quota,
    dialBack,
    keyOf,
    keys,
    living,
    owner: lifeline.owner,
    checkOwner: () => void run(lifeline.extend),
    nextIndex: () => index++,
    now,
    uptime,
    deadline: new ShutdownDeadline(uptime)
  }
  // Registered after the watch, so that the watch still runs during this finalizer. The three deletions run concurrently:
  // in an outage of the API server each of them takes its whole `finalDeleteTime`.
  yield* Effect.addFinalizer(() =>
    Effect.all(
      [
        awaitDeletions(hub),
        removeKeys(hub),
        Effect.suspend(() => Effect.timeoutOption(lifeline.remove, hub.deadline.grant(finalDeleteTime)))
      ],
      { concurrency: "unbounded", discard: true }
    )
  )
  yield* reap(hub)
  // Creates the first Secret in the background, so that the first boot need not wait for it.
  if (options.key !== "env") run(Effect.ignore(keys.entryFor(0), { log: "Warn" }))
  return hub
})

const refused =
  (client: Client, { key = "secret", secretEnv = {} }: HubOptions, portForward: boolean) =>
  (error: KubeError): Effect.Effect<never, BootFailure> =>
    refuse(client, { key, secretEnv: Object.keys(secretEnv).length > 0, portForward }, error)

/** Waits until the pods that were given up are gone, within `finalDeleteTime`. */
const awaitDeletions = (hub: Hub): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { client, graveyard, identity } = hub
    const late = graveyard.hasUnseen
      ? Effect.flatMap(client.listPods(PodLabels.selector(identity), { exact: true }), ({ items }) =>
          Effect.sync(() => graveyard.relisted(new Map(items.map((pod) => [pod.metadata.name ?? "", pod]))))
        )
      : Effect.void
    // A create request that was given up may have been executed: the watch would report the pod too late.
    yield* Effect.timeoutOption(
      Effect.andThen(Effect.ignore(late), graveyard.empty),
      hub.deadline.grant(finalDeleteTime)
    )
    const { names } = graveyard
    if (names.length > 0) {
      yield* Effect.logWarning(
        `these pods were not deleted before this process ended: ${names.join(", ")}; the cluster deletes them with their owner, or the next start of this program does`
      )
    }
  })

const removeKeys = (hub: Hub): Effect.Effect<void> =>
  Effect.suspend(() => Effect.timeout(hub.keys.removeSecrets, hub.deadline.grant(finalDeleteTime))).pipe(
    Effect.catch((error) =>
      Effect.logWarning(
        `these Secrets were not deleted before this process ended: ${hub.keys.names.join(", ")} (${error.message}); the cluster deletes them with their owner, or the next start of this program does`
      )
    )
  )
