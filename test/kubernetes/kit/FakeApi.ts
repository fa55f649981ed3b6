/** An API server in memory that lists and watches pods, with the faults of real API servers. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Pod, WatchEvent } from "../../../src/kubernetes/object/KubeObjects.ts"
import { KubeClient } from "../../../src/kubernetes/api/KubeClient.ts"
import { KubeError } from "../../../src/kubernetes/api/KubeError.ts"
import { History } from "./History.ts"

export const unreachable = new KubeError({
  verb: "list",
  resource: "pods",
  reason: "Unreachable",
  detail: "connect ECONNREFUSED",
  retryable: true
})

export const forbidden = new KubeError({
  verb: "list",
  resource: "pods",
  status: 403,
  reason: "Forbidden",
  detail: "pods is forbidden",
  retryable: false
})

export const tooOld = { type: "ERROR", object: { code: 410, reason: "Expired" } } as const

type Line = Queue.Queue<WatchEvent<Pod>, KubeError | Cause.Done>

export class FakeApi {
  readonly history = new History()
  /** The requests in order, such as `list`, `list exact` and `watch 95`. */
  readonly calls: Array<string> = []
  /** The error of every call, if the server is down. */
  down: KubeError | undefined
  /** The number of versions by which the server's cache, and so its lists, are behind. */
  lag = 0
  /** The oldest version of which a watch can resume. An older one gets 410. */
  floor = 0
  /** Whether watches are accepted but never send anything. */
  isMute = false
  private readonly open = new Set<Line>()
  private told = this.history.version

  get watches(): number {
    return this.open.size
  }

  /** Sends all new events to all watches. */
  flush(): void {
    const events = this.history.after(this.told)
    this.told = this.history.version
    if (!this.isMute) for (const line of this.open) Queue.offerAllUnsafe(line, events)
  }

  say(event: WatchEvent<Pod>): void {
    for (const line of this.open) Queue.offerUnsafe(line, event)
  }

  /** Ends all watches, as the server does under load, or with an error. */
  cut(error?: KubeError): void {
    for (const line of this.open) {
      if (error === undefined) Queue.endUnsafe(line)
      else Queue.failCauseUnsafe(line, Cause.fail(error))
    }
  }

  readonly layer = Layer.mock(KubeClient, {
    server: "https://fake",
    namespace: "default",
    user: undefined,
    self: undefined,
    requests: () => ({}),
    listPods: (_selector, options) =>
      Effect.suspend(() => {
        this.calls.push(options?.exact === true ? "list exact" : "list")
        if (this.down !== undefined) return Effect.fail(this.down)
        return Effect.succeed(this.history.listAt(this.history.version - (options?.exact === true ? 0 : this.lag)))
      }),
    watchPods: (_selector, version, accepted = Effect.void) =>
      Stream.unwrap(
        Effect.gen({ self: this }, function* () {
          this.calls.push(`watch ${version}`)
          if (this.down !== undefined) return Stream.fail(this.down)
          if (Number(version) < this.floor) return Stream.make<[WatchEvent<Pod>]>(tooOld)
          yield* accepted
          this.flush()
          const line: Line = yield* Queue.make<WatchEvent<Pod>, KubeError | Cause.Done>()
          if (!this.isMute) Queue.offerAllUnsafe(line, this.history.after(Number(version)))
          this.open.add(line)
          return Stream.ensuring(
            Stream.fromQueue(line),
            Effect.sync(() => this.open.delete(line))
          )
        })
      )
  })
}
