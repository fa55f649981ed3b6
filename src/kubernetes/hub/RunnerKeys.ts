/**
 * The keys of runners where their pods find them: one Secret for each 256 runners of a life, an entry for each key.
 *
 * An earlier life of the same parent may have left its own behind. Two names take turns, because a Secret that is deleted
 * and made again under its name may still hand out its old values.
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
import { type ParentIdentity, secretName, type SecretTurn, valuesName } from "../object/PodNames.ts"

/** Keys in one Secret. */
const batch = 256

/** Secrets that a former life may have left, at most; each stands for 256 boots. */
const leftovers = 1_000

/** Where a pod finds its key. */
export type KeyEntry = { readonly secret: string; readonly entry: string }

export interface RunnerKeysOptions {
  readonly client: Context.Service.Shape<typeof KubeClient>
  readonly identity: ParentIdentity
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** The owner of a Secret that is made now. */
  readonly owner: () => OwnerReference | undefined
  readonly keyOf: (index: number) => Redacted.Redacted<string>
  /** In which Secrets are made: that of the backend. */
  readonly scope: Scope.Scope
}

export class RunnerKeys {
  private turn: SecretTurn | undefined
  /** The Secrets of keys, by their number from 1 on. */
  private readonly secrets = new Map<number, Once<string, KubeError>>()
  /** Names of all that may exist. */
  private readonly made = new Set<string>()
  /** Those that this life is known to have made, by name. */
  private readonly known = new Map<string, Once<string, KubeError>>()
  private layers = 0
  private readonly options: RunnerKeysOptions

  constructor(options: RunnerKeysOptions) {
    this.options = options
  }

  /** Where the key of the runner with that index is, once it is there. */
  entryFor(index: number): Effect.Effect<KeyEntry, KubeError> {
    const number = Math.floor(index / batch) + 1
    return Effect.map(this.secret(number), (secret) => ({ secret, entry: entryOf(index) }))
  }

  /** A Secret for values that runners of a layer have in common; its name once it is there. */
  values(entries: Readonly<Record<string, Redacted.Redacted<string>>>): Once<string, KubeError> {
    const index = ++this.layers
    const stringData = Object.fromEntries(Object.entries(entries).map(([name, value]) => [name, Redacted.value(value)]))
    return this.once((turn) => this.replace(valuesName(this.options.identity, turn, index), stringData))
  }

  /**
   * Told that the Secret of that name is not there: the next one who needs it makes it again. Another process of the same
   * parent, such as the same program started twice on a laptop, takes it for what a former life has left.
   */
  forgetSecret(name: string): void {
    this.known.get(name)?.forget()
  }

  /** Names of the Secrets that exist as far as known. */
  get names(): ReadonlyArray<string> {
    return [...this.made]
  }

  /** Deletes the Secrets of this life; `names` are those that it did not get to. */
  get removeSecrets(): Effect.Effect<void, KubeError> {
    return Effect.gen({ self: this }, function* () {
      const { client } = this.options
      const deleted = (name: string) => () => Effect.sync(() => this.made.delete(name))
      // one that is refused keeps nobody from the others; the last made goes first, for the next life looks upwards
      const results = yield* Effect.forEach(
        this.names.toReversed(),
        (name) => Effect.result(Effect.tap(client.deleteSecret(name), deleted(name))),
        { concurrency: 4 }
      )
      const refused = results.find(Result.isFailure)
      if (refused !== undefined) yield* Effect.fail(refused.failure)
    })
  }

  /** Deletes what a former life has left, upwards until there is none: one alone may have been deleted before. */
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

  /** A Secret that is made under the name of this life's turn, which is decided by its first one. */
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

  /** The first Secret of this life, by which it takes its turn: once, for all that it makes later goes by the same one. */
  private get first(): Effect.Effect<string, KubeError> {
    const { client, identity } = this.options
    const took = (turn: SecretTurn) =>
      Effect.tap(this.put(secretName(identity, turn), this.keysOf(1)), () => {
        this.turn = turn
        // nobody waits for it, and what it does not get to is deleted by the next life
        return Effect.forkIn(Effect.ignore(this.removeFormer, { log: "Warn" }), this.options.scope)
      })
    return took("a").pipe(
      Effect.catchIf(isTaken, () => took("b")),
      // a life ended between making its own and deleting the one before: neither is anybody's now
      Effect.catchIf(isTaken, () => Effect.andThen(client.deleteSecret(secretName(identity, "b")), took("b")))
    )
  }

  /**
   * Makes one whose name is this life's by its turn: what has it is of a life that ended before it had deleted all, or of
   * our own earlier try, the answer to which was lost.
   */
  private replace(name: string, stringData: Readonly<Record<string, string>>): Effect.Effect<string, KubeError> {
    return Effect.catchIf(this.put(name, stringData), isTaken, () =>
      // several pods may miss the same one, and the last to be heard of after it was made again: others boot with it
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
        // somebody else's is not ours to delete
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
