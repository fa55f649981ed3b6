import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Graph from "effect/Graph"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Schema from "effect/Schema"
import { makeSchemaCodec } from "../../../src/schema/SchemaCodec.ts"
import { defaultMaxValue } from "../../../src/schema/bound/ValueLimits.ts"
import { scaled } from "../../fixtures/slowness.ts"

const codecOf = (schema: Schema.Top) => makeSchemaCodec(schema, { what: "the value", maxValue: defaultMaxValue })

const sync = <A, E>(effect: Effect.Effect<A, E, unknown>) => effect as Effect.Effect<A, E>

const cpu = (f: () => unknown): number => {
  const began = process.cpuUsage()
  f()
  const { system, user } = process.cpuUsage(began)
  return (system + user) / 1000
}

/** Integers that V8 puts into one chain of a table with so many entries. */
const chained = (count: number): Array<number> => {
  const mask = 2 ** Math.ceil(Math.log2(count)) - 1
  const found: Array<number> = []
  for (let int = 0; found.length < count; int++) {
    let hash = (~int + (int << 15)) | 0
    hash ^= hash >>> 12
    hash = (hash + (hash << 2)) | 0
    hash ^= hash >>> 4
    hash = Math.imul(hash, 2057)
    hash ^= hash >>> 16
    if ((hash & mask) === 1) found.push(int)
  }
  return found
}

const lowDigit = (count: number) => Array.from({ length: count }, (_, i) => (BigInt(i + 1) << 64n) + 5n)
/** Text of one hash of Effect's: pairs of characters that lead to one state of the hash, before all such texts so far. */
const alike = (count: number): ReadonlyArray<string> => {
  let texts = [""]
  for (let state = 5381; texts.length < count;) {
    const pairs = new Map<number, Array<string>>()
    for (let first = 48; first < 123; first++) {
      for (let second = 48; second < 123; second++) {
        const after = (((state * 33) ^ second) * 33) ^ first
        pairs.set(after, [...(pairs.get(after) ?? []), String.fromCharCode(first, second)])
      }
    }
    const [after, most] = [...pairs].reduce((best, next) => (next[1].length > best[1].length ? next : best))
    texts = most.flatMap((pair) => texts.map((text) => pair + text))
    state = after
  }
  return texts.slice(0, count)
}
const pairs = (count: number) => alike(count).map((x) => ({ x, y: 1 }))
const Pair = Schema.Struct({ x: Schema.String, y: Schema.Int })
const Ints = Schema.Array(Schema.Int)
const entries = (keys: ReadonlyArray<unknown>) => keys.map((key) => [key, 1])

describe("collections by hash", () => {
  const hostile: ReadonlyArray<readonly [string, Schema.Top, Schema.Top, () => unknown]> = [
    ["a HashSet", Schema.HashSet(Pair), Schema.Array(Pair), () => pairs(10_000)],
    [
      "a HashMap",
      Schema.HashMap(Pair, Schema.Int),
      Schema.Array(Schema.Tuple([Pair, Schema.Int])),
      () => entries(pairs(10_000))
    ],
    ["unique values", Schema.Array(Pair).check(Schema.isUnique()), Schema.Array(Pair), () => pairs(10_000)],
    ["unique integers", Ints.check(Schema.isUnique()), Ints, () => chained(16_000)],
    [
      "unique keys",
      Schema.Array(Schema.Tuple([Pair, Schema.Int])).check(Schema.isUniqueKey()),
      Schema.Array(Schema.Tuple([Pair, Schema.Int])),
      () => entries(pairs(10_000))
    ],
    ["a Set of integers", Schema.ReadonlySet(Schema.Int), Ints, () => chained(16_000)],
    [
      "a Map of integers",
      Schema.ReadonlyMap(Schema.Int, Schema.Int),
      Schema.Array(Schema.Tuple([Schema.Int, Schema.Int])),
      () => entries(chained(16_000))
    ],
    ["a Set of BigInts", Schema.ReadonlySet(Schema.BigInt), Schema.Array(Schema.BigInt), () => lowDigit(30_000)],
    [
      "a HashSet of large BigInts",
      Schema.HashSet(Schema.BigInt),
      Schema.Array(Schema.BigInt),
      () => Array.from({ length: 300 }, (_, i) => (1n << 65_000n) + BigInt(i))
    ],
    [
      "a HashSet in an array",
      Schema.Array(Schema.HashSet(Pair)),
      Schema.Array(Schema.Array(Pair)),
      () => Array.from({ length: 20 }, () => pairs(700))
    ]
  ]

  it.each(hostile)(
    "cost their receiver and their sender no more than other values: %s [C244]",
    (_, schema, as, make) => {
      const codec = codecOf(schema)
      const bytes = codecOf(as).encode(make())
      const took = cpu(() => assert.throws(() => codec.decode(bytes, false), /of one hash|large BigInts/))
      assert.isBelow(took, scaled(500, took))
    }
  )

  const points = Array.from({ length: 10_000 }, (_, i) => ({ x: String(i % 100), y: Math.trunc(i / 100) }))
  const fits: ReadonlyArray<readonly [string, Schema.Top, unknown]> = [
    ["points", Schema.HashSet(Pair), HashSet.fromIterable(points)],
    ["text of one hash, a hundred of it", Schema.HashSet(Schema.String), HashSet.fromIterable(alike(100))],
    ["entries", Schema.HashMap(Schema.String, Schema.Int), HashMap.make(["a", 1], ["b", 2])],
    [
      "keys that are transformed",
      Schema.HashMap(Schema.DateFromString, Schema.NumberFromString),
      HashMap.make([new Date(5), 3])
    ],
    ["a set in a set", Schema.HashSet(Schema.HashSet(Schema.Int)), HashSet.make(HashSet.make(1, 2), HashSet.make(3))],
    ["integers in a row", Schema.ReadonlySet(Schema.Int), new Set(Array.from({ length: 50_000 }, (_, i) => i))],
    ["halves in a row", Schema.ReadonlySet(Schema.Number), new Set(Array.from({ length: 50_000 }, (_, i) => i / 2))],
    [
      "BigInts in a row",
      Schema.ReadonlySet(Schema.BigInt),
      new Set(Array.from({ length: 10_000 }, (_, i) => BigInt(i)))
    ],
    ["a map", Schema.ReadonlyMap(Schema.String, Schema.Uint8Array), new Map([["a", new Uint8Array([1])]])],
    ["unique text", Schema.UniqueArray(Schema.String), ["a", "b"]]
  ]

  it.each(fits)("cross as they are: %s [C244]", (_, schema, value) => {
    const codec = codecOf(schema)
    const crossed = codec.decode(codec.encode(value), true)
    if (Equal.isEqual(value)) assert.isTrue(Equal.equals(crossed, value))
    else assert.deepStrictEqual(crossed, value)
  })

  it("are refused by their sender in words, before they are compared again [C244]", () => {
    assert.throws(
      () => codecOf(Schema.ReadonlySet(Schema.BigInt)).encode(new Set(lowDigit(3_000))),
      /too many keys or unique values of one hash/
    )
  })

  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
  const counted: ReadonlyArray<readonly [string, Schema.Top, (count: number) => unknown, number]> = [
    ["a HashSet", Schema.HashSet(Schema.Int), (count) => HashSet.fromIterable(numbers(count)), 65_536],
    ["a Set", Schema.ReadonlySet(Schema.Int), (count) => new Set(numbers(count)), 104_857],
    ["unique values", Schema.Array(Schema.Int).check(Schema.isUnique()), numbers, 40_329]
  ]
  it.each(counted)("have a largest number of keys by default: %s [C436]", (_, schema, make, most) => {
    const codec = codecOf(schema)
    codec.decode(codec.encode(make(Math.floor(most * 0.99))), false)
    assert.throws(() => codec.encode(make(Math.ceil(most * 1.01))), /too many keys or unique values for its maxValue/)
    const bytes = codecOf(Schema.Array(Schema.Int)).encode(numbers(Math.ceil(most * 1.01)))
    assert.throws(() => codec.decode(bytes, false), /too many keys or unique values for its maxValue/)
  })

  it.effect("refuse indexes of a graph that are chosen to be slow, and take others [C244]", () =>
    Effect.gen(function* () {
      const codec = codecOf(Schema.Graph("directed", Schema.Int, Schema.Int))
      const graph = Graph.directed<number, number>((mutable) => {
        Graph.addEdge(mutable, Graph.addNode(mutable, 1), Graph.addNode(mutable, 2), 3)
      })
      const crossed = yield* sync(codec.decodeEffect(yield* sync(codec.encodeEffect(graph)), true))
      assert.isTrue(Equal.equals(crossed, graph))
      const Node = Schema.Struct({ index: Schema.Int, data: Schema.Int })
      const Raw = Schema.Struct({
        type: Schema.Literal("directed"),
        nodes: Schema.Array(Node),
        edges: Schema.Array(Schema.Struct({ ...Node.fields, source: Schema.Int, target: Schema.Int }))
      })
      const nodes = chained(16_000).map((index) => ({ index, data: 1 }))
      const bytes = codecOf(Raw).encode({ type: "directed", nodes, edges: [] })
      const error = yield* Effect.flip(sync(codec.decodeEffect(bytes, false)))
      assert.match(error.message, /of one hash/)
    })
  )
})
