/**
 * The Secrets of one life: the keys of runners, 256 in each Secret, and the values of `secretEnv`.
 *
 * A former life of the same parent may have left its Secrets behind. The lives take turns with two names, `a` and `b`. A
 * kubelet may still serve the old values of a Secret that was deleted and created again under the same name.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { OwnerReference } from "../object/KubeObjects.ts"
import type { KubeClient } from "../api/KubeClient.ts"
import type { KubeError } from "../api/KubeError.ts"
import { Once } from "./Once.ts"
import { type ParentIdentity, secretName, type SecretTurn, valuesName } from "../object/ObjectNames.ts"

/** Keys in one Secret. */
const batch = 256

/** Secrets of a former life that are looked for, at most; each stands for 256 boots. */
const leftovers = 1_000

/** The entry of a Secret in which a pod finds its key. */
export type KeyEntry = { readonly secret: string; readonly entry: string }

export interface RunnerKeysOptions {
  readonly client: Context.Service.Shape<typeof KubeClient>
  readonly identity: ParentIdentity
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** The owner of a Secret that is made now. */
  readonly owner: () => OwnerReference | undefined
  readonly keyOf: (index: number) => Redacted.Redacted<string>
  /** The scope of the hub, which owns the fibers that create Secrets. */
  readonly scope: Scope.Scope
}

export class RunnerKeys {
  private turn: SecretTurn | undefined
  /** Secrets of keys, by their number from 1 on. */
  private readonly secrets = new Map<number, Once<string, KubeError>>()
  /** Names of all Secrets that may exist. */
  private readonly made = new Set<string>()
  /** Secrets that this life has created, by name. */
  private readonly known = new Map<string, Once<string, KubeError>>()
  private layers = 0
  private readonly options: RunnerKeysOptions

  constructor(options: RunnerKeysOptions) {
    this.options = options
  }

  /** The entry that holds the key of the runner with that index. Completes when its Secret exists. */
  entryFor(index: number): Effect.Effect<KeyEntry, KubeError> {
    const number = Math.floor(index / batch) + 1
    return Effect.map(this.secret(number), (secret) => ({ secret, entry: entryOf(index) }))
  }

  /** A Secret for the values that all runners of a layer share. Its result is the name. */
  values(entries: Readonly<Record<string, Redacted.Redacted<string>>>): Once<string, KubeError> {
    const index = ++this.layers
    const stringData = Object.fromEntries(Object.entries(entries).map(([name, value]) => [name, Redacted.value(value)]))
    return this.once((turn) => this.replace(valuesName(this.options.identity, turn, index), stringData))
  }

  /**
   * Forgets a Secret that somebody deleted, so that the next runner that needs it creates it again. A second process of the
   * same parent, such as a program started twice on a laptop, deletes it as one of a former life.
   */
  forgetSecret(name: string): void {
    this.known.get(name)?.forget()
  }

  /** Names of Secrets that may exist. */
  get names(): ReadonlyArray<string> {
    return [...this.made]
  }

  /** Deletes the Secrets of this life. Those that could not be deleted stay in `names`. */
  get removeSecrets(): Effect.Effect<void, KubeError> {
    return Effect.gen({ self: this }, function* () {
      const { client } = this.options
      const deleted = (name: string) => () => Effect.sync(() => this.made.delete(name))
      // One refusal must not prevent the others. The last Secret goes first, because the next life searches upwards by
      // number.
      const results = yield* Effect.forEach(
        this.names.toReversed(),
        (name) => Effect.result(Effect.tap(client.deleteSecret(name), deleted(name))),
        { concurrency: 4 }
      )
      const refused = results.find(Result.isFailure)
      if (refused !== undefined) yield* Effect.fail(refused.failure)
    })
  }

  /** Deletes the Secrets of a former life, upwards until two in a row are absent: a single one may have been deleted before. */
  private get removeFormer(): Effect.Effect<void, KubeError> {
    return Effect.gen({ self: this }, function* () {
      const { turn } = this
      if (turn === undefined) return
      const other = turn === "a" ? "b" : "a"
      const { client, identity } = this.options
      const names = [secretName, valuesName].map((nameOf) => (index: number) => nameOf(identity, other, index))
      for (const nameOf of names) {
        let misses = 0
        for (let index = 1; index <= leftovers && misses < 2; index++)
          misses = (yield* client.deleteSecret(nameOf(index))) ? 0 : misses + 1
      }
    })
  }

  private secret(number: number): Effect.Effect<string, KubeError> {
    return Effect.suspend(() => {
      let secret = this.secrets.get(number)
      if (secret === undefined) {
        const replace = (turn: SecretTurn) =>
          this.replace(secretName(this.options.identity, turn, number), this.keysOf(number))
        secret = number === 1 ? this.once(replace, this.first) : this.once(replace)
        this.secrets.set(number, secret)
      }
      return secret.get
    })
  }

  /** A Secret under the name of this life's turn, which the first Secret decides. */
  private once(
    make: (turn: SecretTurn) => Effect.Effect<string, KubeError>,
    undecided: Effect.Effect<string, KubeError> = Effect.flatMap(this.secret(1), () => make(this.turn ?? "a"))
  ): Once<string, KubeError> {
    const secret: Once<string, KubeError> = new Once(
      Effect.tap(
        Effect.suspend(() => (this.turn === undefined ? undecided : make(this.turn))),
        (name) => Effect.sync(() => this.known.set(name, secret))
      ),
      this.options.scope
    )
    return secret
  }

  /** Creates the first Secret of this life and decides its turn, which all later Secrets follow. */
  private get first(): Effect.Effect<string, KubeError> {
    const { client, identity } = this.options
    const took = (turn: SecretTurn) =>
      Effect.tap(this.put(secretName(identity, turn), this.keysOf(1)), () => {
        this.turn = turn
        // In the background, because the next life deletes what this life does not.
        return Effect.forkIn(Effect.ignore(this.removeFormer, { log: "Warn" }), this.options.scope)
      })
    return took("a").pipe(
      Effect.catchIf(isTaken, () => took("b")),
      // A life ended between creating its own and deleting the former one: neither has an owner now.
      Effect.catchIf(isTaken, () => Effect.andThen(client.deleteSecret(secretName(identity, "b")), took("b")))
    )
  }

  /**
   * Creates a Secret under a name of this life's turn. Replaces an existing Secret of that name. Either a former life ended
   * before it had deleted all its Secrets, or the answer to an earlier attempt of this life was lost.
   */
  private replace(name: string, stringData: Readonly<Record<string, string>>): Effect.Effect<string, KubeError> {
    return Effect.catchIf(this.put(name, stringData), isTaken, () =>
      // Several pods may miss the same Secret, and some report it after it was created again: other pods boot with it.
      this.known.has(name)
        ? Effect.succeed(name)
        : Effect.andThen(this.options.client.deleteSecret(name), this.put(name, stringData))
    )
  }

  private put(name: string, stringData: Readonly<Record<string, string>>): Effect.Effect<string, KubeError> {
    const { annotations, client, labels } = this.options
    return Effect.suspend(() => {
      const owner = this.options.owner()
      const metadata = { name, labels, annotations, ...(owner === undefined ? {} : { ownerReferences: [owner] }) }
      const wasOurs = this.made.has(name)
      this.made.add(name)
      return Effect.as(client.createSecret({ metadata, stringData }), name).pipe(
        // A Secret of somebody else must not be deleted at the end of this life.
        Effect.tapError((error) => Effect.sync(() => isTaken(error) && !wasOurs && this.made.delete(name)))
      )
    })
  }

  private keysOf(number: number): Readonly<Record<string, string>> {
    const first = (number - 1) * batch
    const indexes = Array.from({ length: batch }, (_, entry) => first + entry)
    return Object.fromEntries(indexes.map((index) => [entryOf(index), Redacted.value(this.options.keyOf(index))]))
  }
}

const isTaken = ({ status }: KubeError): boolean => status === 409

const entryOf = (index: number): string => `key-${index}`
