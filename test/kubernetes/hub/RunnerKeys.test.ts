import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { KubeClient } from "../../../src/kubernetes/api/KubeClient.ts"
import * as ObjectNames from "../../../src/kubernetes/object/ObjectNames.ts"
import { RunnerKeys } from "../../../src/kubernetes/hub/RunnerKeys.ts"
import * as ApiErrors from "../../../src/testing/ApiErrors.ts"
import { KubeMock } from "../../../src/testing/KubeMock.ts"
import * as PodParent from "../kit/PodParent.ts"

const identity = ObjectNames.inCluster("0a1b2c3d-0000-4000-8000-000000000000", "app")

/** The keys of one life of the parent. */
const life = Effect.gen(function* () {
  const scope = yield* Effect.scope
  const client = yield* KubeClient
  const keyOf = (index: number) => Redacted.make(`key ${index}`)
  return new RunnerKeys({ client, identity, labels: {}, annotations: {}, owner: () => undefined, keyOf, scope })
})

const names = Effect.gen(function* () {
  const secrets = yield* (yield* KubeMock).secrets
  return secrets.map(({ metadata }) => metadata.name!.slice(metadata.name!.indexOf("-app-0-") + 7)).toSorted()
})

const values = { "env-TOKEN": Redacted.make("t") }

describe("Secrets of a life", () => {
  it.effect("alternate names with those of the former life, which are deleted", () =>
    Effect.gen(function* () {
      const first = yield* life
      yield* first.entryFor(0)
      yield* first.entryFor(300)
      yield* first.values(values).get
      assert.deepStrictEqual(yield* names, ["a", "a-env1", "a2"])
      const second = yield* life
      assert.match((yield* second.entryFor(0)).secret, /-b$/)
      yield* second.values(values).get
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(yield* names, ["b", "b-env1"])
      yield* second.removeSecrets
      assert.deepStrictEqual(yield* names, [])
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("are made although former lives ended amid their deletions", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      const first = yield* life
      const keys = (yield* first.entryFor(0)).secret
      yield* first.entryFor(300)
      yield* first.values(values).get
      // The next life deleted the first Secret, and was killed.
      yield* client.deleteSecret(keys)
      const third = yield* life
      assert.match((yield* third.entryFor(0)).secret, /-a$/)
      assert.match(yield* third.values(values).get, /-a-env1$/)
      assert.match((yield* third.entryFor(256)).secret, /-a2$/)
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("are made although Secrets of both names exist, of lives that ended amid the change [C169]", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      const { secret } = yield* (yield* life).entryFor(0)
      // The first life deletes Secrets of the other name in the background.
      yield* TestClock.adjust("1 second")
      yield* client.createSecret({ metadata: { name: secret.replace(/-a$/, "-b") } })
      assert.deepStrictEqual(yield* names, ["a", "b"])
      const next = yield* life
      assert.match((yield* next.entryFor(0)).secret, /-b$/)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(yield* names, ["b"])
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("never replace or delete a Secret of another owner under one of their names [C169]", () =>
    Effect.gen(function* () {
      const [client, mock] = [yield* KubeClient, yield* KubeMock]
      const keys = yield* life
      const { secret } = yield* keys.entryFor(0)
      const taken = ApiErrors.alreadyExists("create secrets", `${secret}2`)
      yield* mock.fail("create secrets", taken, taken)
      assert.strictEqual((yield* Effect.flip(keys.entryFor(256))).status, 409)
      assert.notInclude(keys.names, `${secret}2`)
      yield* client.createSecret({ metadata: { name: `${secret}2` } })
      yield* keys.removeSecrets
      assert.deepStrictEqual(yield* names, ["a2"])
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("of the former life are all deleted, although somebody deleted one before", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      const first = yield* life
      const { secret } = yield* first.entryFor(0)
      const { secret: second } = yield* first.entryFor(256)
      yield* first.entryFor(600)
      yield* client.deleteSecret(second)
      assert.deepStrictEqual(yield* names, ["a", "a3"])
      const next = yield* life
      assert.notStrictEqual((yield* next.entryFor(0)).secret, secret)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(yield* names, ["b"])
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("are deleted from the last to the first, so that a life that ends amid it leaves the first ones", () =>
    Effect.gen(function* () {
      const keys = yield* life
      for (let index = 0; index < 256 * 6; index += 256) yield* keys.entryFor(index)
      yield* (yield* KubeMock).fail(
        "delete secrets",
        ...Array.from({ length: 2 }, () => ApiErrors.forbidden("delete secrets"))
      )
      assert.strictEqual((yield* Effect.flip(keys.removeSecrets)).status, 403)
      assert.deepStrictEqual(yield* names, ["a5", "a6"])
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("that could not be deleted are named, and do not keep the others from being deleted", () =>
    Effect.gen(function* () {
      const keys = yield* life
      yield* keys.entryFor(0)
      yield* keys.entryFor(300)
      // The client's own retries are over.
      yield* (yield* KubeMock).fail("delete secrets", ApiErrors.forbidden("delete secrets"))
      assert.strictEqual((yield* Effect.flip(keys.removeSecrets)).status, 403)
      assert.deepStrictEqual(yield* names, ["a2"])
      assert.lengthOf(keys.names, 1)
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("are one for 256 runners, made once for all that need it at a time", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      const keys = yield* life
      const indexes = Array.from({ length: 257 }, (_, index) => index)
      const places = yield* Effect.forEach(indexes, (index) => keys.entryFor(index), { concurrency: "unbounded" })
      assert.strictEqual(new Set(places.slice(0, 256).map(({ secret }) => secret)).size, 1)
      assert.strictEqual(new Set(places.map(({ entry }) => entry)).size, 257)
      assert.strictEqual(client.requests()["create secrets"], 2)
      const secrets = yield* (yield* KubeMock).secrets
      for (const [index, { entry, secret }] of places.entries()) {
        const found = secrets.find(({ metadata }) => metadata.name === secret)
        assert.strictEqual(found?.stringData?.[entry], `key ${index}`)
      }
      assert.lengthOf(Object.keys(secrets[0]?.stringData ?? {}), 256)
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("that were deleted from outside are made again once that is known, with the same keys", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      const keys = yield* life
      const { entry, secret } = yield* keys.entryFor(7)
      yield* client.deleteSecret(secret)
      yield* keys.entryFor(8)
      assert.deepStrictEqual(yield* names, [])
      keys.forgetSecret(secret)
      const again = yield* keys.entryFor(7)
      assert.strictEqual(again.entry, entry)
      const [found] = yield* (yield* KubeMock).secrets
      assert.strictEqual(found?.metadata.name, again.secret)
      assert.strictEqual(found?.stringData?.[entry], "key 7")
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("keep their order when the first was deleted, and the others stay", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      yield* (yield* life).entryFor(0)
      const keys = yield* life
      const { secret } = yield* keys.entryFor(0)
      const shared = keys.values(values)
      yield* shared.get
      yield* keys.entryFor(300)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(yield* names, ["b", "b-env1", "b2"])
      yield* client.deleteSecret(secret)
      keys.forgetSecret(secret)
      assert.strictEqual((yield* keys.entryFor(0)).secret, secret)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(yield* names, ["b", "b-env1", "b2"])
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("are made again one by one, and not again for a pod that reports the loss late", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      const keys = yield* life
      const { secret } = yield* keys.entryFor(0)
      const shared = keys.values(values)
      const name = yield* shared.get
      yield* client.deleteSecret(name)
      keys.forgetSecret(name)
      assert.strictEqual(yield* shared.get, name)
      assert.deepStrictEqual(yield* names, ["a", "a-env1"])
      const found = (yield* (yield* KubeMock).secrets).find(({ metadata }) => metadata.name === name)
      assert.deepStrictEqual(found?.stringData, { "env-TOKEN": "t" })
      const deletes = client.requests()["delete secrets"]
      // Another pod that missed the Secret, and is reported only now.
      keys.forgetSecret(name)
      assert.strictEqual(yield* shared.get, name)
      assert.strictEqual((yield* keys.entryFor(1)).secret, secret)
      assert.strictEqual(client.requests()["delete secrets"], deletes)
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("that the API server refuses fail the boots that need them, and the next boot tries again", () =>
    Effect.gen(function* () {
      const keys = yield* life
      yield* (yield* KubeMock).fail("create secrets", ApiErrors.forbidden("create secrets"))
      assert.strictEqual((yield* Effect.flip(keys.entryFor(0))).status, 403)
      assert.match((yield* keys.entryFor(0)).secret, /-a$/)
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )
})
