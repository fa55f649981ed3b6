/**
 * The keys of runners where their pods find them: one Secret for each 256 runners of a life, an entry for each key.
 *
 * An earlier life of the same parent may have left its own behind. Two names take turns, because a Secret that is deleted
 * and made again under its name may still hand out its old values.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { OwnerReference, Secret } from "./Kube.ts"
import type { KubeClient } from "./KubeClient.ts"
import type { KubeError } from "./KubeError.ts"
import { Once } from "./Once.ts"
import { type ParentIdentity, secretName, type SecretTurn } from "./PodNames.ts"

/** Keys in one Secret. */
const batch = 256

/** Secrets that a former life may have left, at most; each stands for 256 boots. */
const leftovers = 1_000

/** Where a pod finds its key. */
export type KeyPlace = { readonly secret: string; readonly entry: string }

export interface RunnerKeysOptions {
  readonly client: Context.Service.Shape<typeof KubeClient>
  readonly identity: ParentIdentity
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly owner: OwnerReference | undefined
  readonly keyOf: (index: number) => Redacted.Redacted<string>
  /** In which Secrets are made: that of the backend. */
  readonly scope: Scope.Scope
}

export class RunnerKeys {
  private turn: SecretTurn | undefined
  /** The Secrets of this life, by their number from 1 on. */
  private readonly made = new Map<number, Once<string, KubeError>>()
  private readonly options: RunnerKeysOptions

  constructor(options: RunnerKeysOptions) {
    this.options = options
  }

  /** Where the key of the runner with that index is, once it is there. */
  placeOf(index: number): Effect.Effect<KeyPlace, KubeError> {
    const number = Math.floor(index / batch) + 1
    return Effect.map(this.secret(number), (secret) => ({ secret, entry: entryOf(index) }))
  }

  /** Names of the Secrets that exist as far as known. */
  get names(): ReadonlyArray<string> {
    return this.turn === undefined ? [] : [...this.made.keys()].map((number) => this.nameOf(number))
  }

  /** Deletes the Secrets of this life. */
  get remove(): Effect.Effect<void, KubeError> {
    return Effect.suspend(() =>
      Effect.forEach(this.names, (name) => this.options.client.deleteSecret(name), { concurrency: 4, discard: true })
    )
  }

  /** Deletes what a former life has left, upwards until there is none. */
  get removeFormer(): Effect.Effect<void, KubeError> {
    return Effect.gen({ self: this }, function* () {
      const { turn } = this
      if (turn === undefined) return
      const other = turn === "a" ? "b" : "a"
      for (let number = 1; number <= leftovers; number++) {
        if (!(yield* this.options.client.deleteSecret(secretName(this.options.identity, other, number)))) return
      }
    })
  }

  private nameOf(number: number): string {
    return secretName(this.options.identity, this.turn ?? "a", number)
  }

  private secret(number: number): Effect.Effect<string, KubeError> {
    return Effect.suspend(() => {
      let made = this.made.get(number)
      if (made === undefined) {
        made = new Once(this.create(number), this.options.scope)
        this.made.set(number, made)
      }
      return made.get
    })
  }

  private create(number: number): Effect.Effect<string, KubeError> {
    return Effect.gen({ self: this }, function* () {
      // which of the two names this life has is decided by its first Secret
      if (number > 1 && this.turn === undefined) yield* this.secret(1)
      if (number > 1) return yield* this.put(number, this.nameOf(number))
      const { identity } = this.options
      const took = (turn: SecretTurn) =>
        Effect.tap(this.put(1, secretName(identity, turn)), () =>
          Effect.sync(() => {
            this.turn = turn
          })
        )
      const isTaken = ({ status }: KubeError) => status === 409
      return yield* took("a").pipe(
        Effect.catchIf(isTaken, () => took("b")),
        // a life ended between making its own and deleting the one before: neither is anybody's now
        Effect.catchIf(isTaken, () =>
          Effect.andThen(this.options.client.deleteSecret(secretName(identity, "b")), took("b"))
        )
      )
    })
  }

  private put(number: number, name: string): Effect.Effect<string, KubeError> {
    const { annotations, client, keyOf, labels, owner } = this.options
    const secret: Secret = {
      metadata: { name, labels, annotations, ...(owner === undefined ? {} : { ownerReferences: [owner] }) },
      stringData: Object.fromEntries(
        Array.from({ length: batch }, (_, entry) => {
          const index = (number - 1) * batch + entry
          return [entryOf(index), Redacted.value(keyOf(index))] as const
        })
      )
    }
    return Effect.as(client.createSecret(secret), name)
  }
}

const entryOf = (index: number): string => `key-${index}`
