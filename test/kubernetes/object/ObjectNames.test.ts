import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as ObjectNames from "../../../src/kubernetes/object/ObjectNames.ts"

const dnsName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const label = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/
const uid = "8c1f8ef0-dc97-476b-a999-357ef0432582"
const parent = ObjectNames.inCluster(uid, "app")

/** Text of all sorts, long and short, of which some pairs differ only in what a name cannot hold. */
const Text = Schema.String.check(Schema.isMaxLength(90))
const Runner = Schema.Struct({ id: Text, pool: Text, life: Text })

describe("a pod's name", () => {
  it("tells the pool, the life and the number to whoever reads it", () => {
    const runner = { id: "gpu-3f2a91c4-7", pool: "app/Gpu", life: "3f2a91c4" }
    assert.match(ObjectNames.podName(parent, runner), /^gpu-3f2a91c4-7-[0-9a-f]{10}$/)
  })

  it.prop("is a host name, whatever the pool and the runner are called", [Runner], ([runner]) => {
    const name = ObjectNames.podName(parent, runner)
    assert.match(name, dnsName)
    assert.isAtMost(name.length, 63)
  })

  it.prop("is another one for another runner, pool or life", [Runner, Runner], ([one, other]) => {
    const isSame = one.id === other.id && one.pool === other.pool && one.life === other.life
    assert.strictEqual(ObjectNames.podName(parent, one) === ObjectNames.podName(parent, other), isSame)
  })

  it("is another one for what differs only in what a name cannot hold, or in its end", () => {
    const name = (id: string, pool = "p", life = "l") => ObjectNames.podName(parent, { id, pool, life })
    const long = "a".repeat(80)
    const names = [
      name("a_b"),
      name("a-b"),
      name("A-B"),
      name(`${long}1`),
      name(`${long}2`),
      name("", "é"),
      name("", "è")
    ]
    assert.strictEqual(new Set(names).size, names.length)
  })

  it("[C93] is another one for another replica, container or process", () => {
    const runner = { id: "r-1", pool: "p", life: "l" }
    const parents = [
      parent,
      ObjectNames.inCluster(uid.replace("8", "9"), "app"),
      ObjectNames.inCluster(uid, "other"),
      ObjectNames.inCluster(uid, "app", "1"),
      ObjectNames.external("host", "user", "main.js")
    ]
    assert.strictEqual(new Set(parents.map((parent) => ObjectNames.podName(parent, runner))).size, parents.length)
  })
})

describe("a parent's identity", () => {
  it("is the pod's uid, the container and the instance", () => {
    assert.strictEqual(parent.label, `${uid}.app.0`)
  })

  it("has container and instance as a hash where they are too long for a label", () => {
    const { label } = ObjectNames.inCluster(uid, "a".repeat(40))
    assert.match(label, new RegExp(`^${uid}\\.[0-9a-f]{16}$`))
    assert.notStrictEqual(label, ObjectNames.inCluster(uid, "a".repeat(41)).label)
  })

  it.prop("is a label and its Secrets have names, whatever the instance is called", [Text], ([instance]) => {
    const identity = ObjectNames.inCluster(uid, "app", instance)
    assert.match(identity.label, label)
    assert.isAtMost(identity.label.length, 63)
    assert.match(ObjectNames.secretName(identity, "b", 12), dnsName)
  })

  it.prop("is another one for another instance, and so are its Secrets", [Text, Text], ([one, other]) => {
    const [a, b] = [ObjectNames.inCluster(uid, "app", one), ObjectNames.inCluster(uid, "app", other)]
    assert.strictEqual(a.label === b.label, one === other)
    assert.strictEqual(a.secrets === b.secrets, one === other)
  })

  it("does not take a hyphen of the instance for one of the container", () => {
    assert.notStrictEqual(
      ObjectNames.inCluster(uid, "a", "b-0").secrets,
      ObjectNames.inCluster(uid, "a-b", "0").secrets
    )
  })

  it("says outside the cluster who runs what where, and only that", () => {
    const identity = ObjectNames.external("host", "user", "/app/main.js")
    assert.match(identity.label, /^ext-[0-9a-f]{16}$/)
    assert.strictEqual(identity.label, ObjectNames.external("host", "user", "/app/main.js").label)
    assert.notStrictEqual(identity.label, ObjectNames.external("host", "us", "er/app/main.js").label)
  })
})

describe("a Secret's name", () => {
  it("takes turns with the lives, and counts within one", () => {
    assert.deepStrictEqual(
      [
        ObjectNames.secretName(parent, "a"),
        ObjectNames.secretName(parent, "b"),
        ObjectNames.secretName(parent, "a", 2)
      ],
      ["flame-8c1f8ef0-app-0-a", "flame-8c1f8ef0-app-0-b", "flame-8c1f8ef0-app-0-a2"]
    )
  })
})

describe("a label's value", () => {
  it.prop("is a label, whatever the text is", [Text], ([text]) => {
    const value = ObjectNames.labelValue(text)
    assert.match(value, label)
    assert.isAtMost(value.length, 63)
  })

  it("keeps what a label can hold", () => {
    assert.deepStrictEqual(["app/Gpu", "a_b.c-D", "effect-flame/Pool"].map(ObjectNames.labelValue), [
      "app-Gpu",
      "a_b.c-D",
      "effect-flame-Pool"
    ])
  })
})
