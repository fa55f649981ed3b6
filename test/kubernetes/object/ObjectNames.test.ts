import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as ObjectNames from "../../../src/kubernetes/object/ObjectNames.ts"

const dnsName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const label = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/
const uid = "8c1f8ef0-dc97-476b-a999-357ef0432582"
const parent = ObjectNames.inCluster(uid, "app")

/** Text of all sorts, long and short. Some pairs differ only in characters that a name cannot hold. */
const Text = Schema.String.check(Schema.isMaxLength(90))
const Runner = Schema.Struct({ id: Text, pool: Text, life: Text })

describe("a pod's name", () => {
  it("shows the pool, the life and the number", () => {
    const runner = { id: "gpu-3f2a91c4-7", pool: "app/Gpu", life: "3f2a91c4" }
    assert.match(ObjectNames.podName(parent, runner), /^gpu-3f2a91c4-7-[0-9a-f]{10}$/)
  })

  it.prop("is a valid host name, whatever the names of pool and runner", [Runner], ([runner]) => {
    const name = ObjectNames.podName(parent, runner)
    assert.match(name, dnsName)
    assert.isAtMost(name.length, 63)
  })

  it.prop("differs for another runner, pool or life", [Runner, Runner], ([one, other]) => {
    const isSame = one.id === other.id && one.pool === other.pool && one.life === other.life
    assert.strictEqual(ObjectNames.podName(parent, one) === ObjectNames.podName(parent, other), isSame)
  })

  it("differs for texts that differ only in characters that a name cannot hold, or in their end", () => {
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

  it("[C93] differs for another replica, container or process", () => {
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
  it("consists of the pod's uid, the container and the instance", () => {
    assert.strictEqual(parent.label, `${uid}.app.0`)
  })

  it("has container and instance as a hash if they are too long for a label", () => {
    const { label } = ObjectNames.inCluster(uid, "a".repeat(40))
    assert.match(label, new RegExp(`^${uid}\\.[0-9a-f]{16}$`))
    assert.notStrictEqual(label, ObjectNames.inCluster(uid, "a".repeat(41)).label)
  })

  it.prop("is a valid label, and its Secrets have valid names, whatever the instance", [Text], ([instance]) => {
    const identity = ObjectNames.inCluster(uid, "app", instance)
    assert.match(identity.label, label)
    assert.isAtMost(identity.label.length, 63)
    assert.match(ObjectNames.secretName(identity, "b", 12), dnsName)
  })

  it.prop("differs for another instance, and so do the names of its Secrets", [Text, Text], ([one, other]) => {
    const [a, b] = [ObjectNames.inCluster(uid, "app", one), ObjectNames.inCluster(uid, "app", other)]
    assert.strictEqual(a.label === b.label, one === other)
    assert.strictEqual(a.secrets === b.secrets, one === other)
  })

  it("does not confuse a hyphen in the instance with one in the container", () => {
    assert.notStrictEqual(
      ObjectNames.inCluster(uid, "a", "b-0").secrets,
      ObjectNames.inCluster(uid, "a-b", "0").secrets
    )
  })

  it("outside the cluster shows user, host and program, and nothing else", () => {
    const identity = ObjectNames.external("host", "user", "/app/main.js")
    assert.match(identity.label, /^ext-[0-9a-f]{16}$/)
    assert.strictEqual(identity.label, ObjectNames.external("host", "user", "/app/main.js").label)
    assert.notStrictEqual(identity.label, ObjectNames.external("host", "us", "er/app/main.js").label)
  })
})

describe("a Secret's name", () => {
  it("alternates between lives, and counts within a life", () => {
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
  it.prop("is a valid label for any text", [Text], ([text]) => {
    const value = ObjectNames.labelValue(text)
    assert.match(value, label)
    assert.isAtMost(value.length, 63)
  })

  it("keeps the characters that a label can hold", () => {
    assert.deepStrictEqual(["app/Gpu", "a_b.c-D", "effect-flame/Pool"].map(ObjectNames.labelValue), [
      "app-Gpu",
      "a_b.c-D",
      "effect-flame-Pool"
    ])
  })
})
