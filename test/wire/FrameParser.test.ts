import { assert, describe, it } from "@effect/vitest"
import { frameLimit, headerSize, Kind, kindName } from "../../src/wire/Frame.ts"
import { Parser } from "../../src/wire/FrameParser.ts"
import type { Random } from "../simulation/Random.ts"
import { frame, int, noise, none, pieces, withSeeds } from "./kit.ts"

type Found =
  | { readonly at: "frame" | "part"; readonly kind: number; readonly id: number; readonly body: Buffer }
  | { readonly at: "violation"; readonly detail: string }

/**
 * Collects the frames that a parser finds, copied at once. Joins pieces of one call, because their boundaries are
 * arbitrary.
 */
const collect = (onFound: (parser: Parser) => void = () => {}) => {
  const found: Array<Found> = []
  const push = (one: Found) => {
    found.push(one)
    onFound(parser)
  }
  const parser = new Parser({
    frame: (kind, id, body) => push({ at: "frame", kind, id, body: Buffer.from(body) }),
    part: (kind, id, bytes) => push({ at: "part", kind, id, body: Buffer.from(bytes) }),
    violation: (detail) => push({ at: "violation", detail })
  })
  return { found, parser }
}

const joined = (found: ReadonlyArray<Found>): ReadonlyArray<unknown> => {
  const out: Array<{ readonly of: string; readonly bodies: Array<Buffer> }> = []
  for (const one of found) {
    if (one.at === "violation") throw new Error(one.detail)
    const of = `${one.at} ${one.kind} ${one.id}`
    const last = out.at(-1)
    if (one.at === "part" && last?.of === of) last.bodies.push(one.body)
    else out.push({ of, bodies: [one.body] })
  }
  return out.map(({ bodies, of }) => ({ of, body: Buffer.concat(bodies).toString("latin1") }))
}

const isPart = (kind: number) =>
  kind === Kind.PartRequest || kind === Kind.PartResponse || kind === Kind.ItemsRequest || kind === Kind.ItemsResponse

const randomFrame = (random: Random, seed: number) => {
  const kinds = [...Object.values(Kind), 0, 99, 255]
  const sizes = [0, 1, 8, 9, 10, 255, 256, 4096, 65_536]
  const size = random() < 0.5 ? int(random, 0, 40) : (sizes[int(random, 0, sizes.length - 1)] ?? 0)
  return {
    kind: kinds[int(random, 0, kinds.length - 1)] ?? 0,
    id: random() < 0.2 ? 0xffffffff : int(random, 0, 70_000),
    body: noise(size, seed + size)
  }
}

describe("the parser of frames", () => {
  it("finds the same frames however the bytes are cut", () => {
    withSeeds(150, (random, seed) => {
      const frames = Array.from({ length: int(random, 1, 12) }, (_, i) => randomFrame(random, seed * 100 + i))
      const stream = Buffer.concat(frames.map(({ body, id, kind }) => frame(kind, id, body)))
      const expected = joined(
        frames.map(({ body, id, kind }) => ({ at: isPart(kind) ? "part" : "frame", kind, id, body }))
      )
      for (const largest of [1, 10, 3_000, 70_000, stream.length]) {
        const { found, parser } = collect()
        for (const piece of pieces(stream, random, largest)) parser.push(piece)
        assert.deepStrictEqual(joined(found), expected, `pieces up to ${largest}`)
        assert.isTrue(parser.isAtBoundary)
      }
    })
  })

  it("keeps no pushed bytes, whose memory is reused", () => {
    withSeeds(50, (random, seed) => {
      const frames = Array.from({ length: int(random, 1, 12) }, (_, i) => randomFrame(random, seed * 100 + i))
      const stream = Buffer.concat(frames.map(({ body, id, kind }) => frame(kind, id, body)))
      const { found, parser } = collect()
      const memory = Buffer.alloc(5_000)
      for (const piece of pieces(stream, random, memory.length)) {
        parser.push(memory.subarray(0, piece.copy(memory)))
        memory.fill(0xa5)
      }
      const expected = frames.map(({ body, id, kind }) => ({ at: isPart(kind) ? "part" : "frame", kind, id, body }))
      assert.deepStrictEqual(joined(found), joined(expected as ReadonlyArray<Found>))
    })
  })

  it("holds the memory of a large frame only until the frame is handled", () => {
    const bodies: Array<Buffer> = []
    const parser = new Parser({
      frame: (_, __, body) => void bodies.push(body),
      part: () => assert.fail(),
      violation: assert.fail
    })
    for (const size of [100_000, 10, 20]) {
      const stream = frame(Kind.Request, 1, noise(size, 1))
      parser.push(stream.subarray(0, 5))
      parser.push(stream.subarray(5))
    }
    const [large, small, next] = bodies.map((body) => body.buffer)
    assert.notStrictEqual(large, small)
    assert.strictEqual(small, next)
  })

  it("accepts plain Uint8Arrays, also views", () => {
    const { found, parser } = collect()
    const padded = new Uint8Array([7, 7, ...frame(Kind.Ping, 5, Buffer.from("hi")), 7])
    parser.push(padded.subarray(2, padded.length - 1))
    assert.deepStrictEqual(found, [{ at: "frame", kind: Kind.Ping, id: 5, body: Buffer.from("hi") }])
  })

  it("passes the bytes of a part on as they arrive, and neither keeps nor joins them", () => {
    const stream = frame(Kind.PartResponse, 3, noise(100_000, 1))
    const { found, parser } = collect()
    const sizes: Array<number> = []
    for (let at = 0; at < stream.length; at += 1_000) {
      parser.push(stream.subarray(at, at + 1_000))
      sizes.push(found.reduce((sum, one) => sum + (one.at === "part" ? one.body.length : 0), 0))
    }
    // After each push, all arrived bytes of the part have been passed on.
    assert.deepStrictEqual(
      sizes,
      sizes.map((_, i) => Math.min(100_000, (i + 1) * 1_000 - headerSize))
    )
  })

  it("passes a part as a view of the pushed bytes", () => {
    const stream = frame(Kind.PartRequest, 3, noise(50_000, 1))
    let memory: ArrayBufferLike | undefined
    new Parser({
      frame: () => {},
      part: (_, __, bytes) => {
        memory = bytes.buffer
      },
      violation: assert.fail
    }).push(stream)
    assert.strictEqual(memory, stream.buffer)
  })

  it("copies no byte more than twice, even if the bytes arrive one by one", () => {
    const stream = frame(Kind.Request, 1, noise(frameLimit, 9))
    const { found, parser } = collect()
    const before = process.cpuUsage()
    for (let at = 0; at < stream.length; at++) parser.push(stream.subarray(at, at + 1))
    const { system, user } = process.cpuUsage(before)
    assert.deepStrictEqual(found, [{ at: "frame", kind: Kind.Request, id: 1, body: stream.subarray(headerSize) }])
    // Joining at each byte would copy 34 GB, which takes 3 s and more. Joining once takes 60 ms.
    assert.isBelow((system + user) / 1000, 1_500)
  })

  it("accepts a frame at the size limit, and refuses a larger one by its header alone", () => {
    const whole = collect()
    whole.parser.push(frame(Kind.Success, 1, noise(frameLimit, 1)))
    assert.strictEqual(whole.found.length, 1)
    for (const length of [frameLimit + 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
      for (const kind of [Kind.Success, Kind.PartRequest, 200]) {
        const { found, parser } = collect()
        parser.push(Buffer.concat([frame(Kind.Ping, 1), frame(kind, 2, none, length), frame(Kind.Pong, 3)]))
        assert.deepStrictEqual(found, [
          { at: "frame", kind: Kind.Ping, id: 1, body: Buffer.alloc(0) },
          { at: "violation", detail: `${kindName(kind)} frame of ${length} bytes, the limit is ${frameLimit}` }
        ])
      }
    }
  })

  it("finds nothing more after a violation", () => {
    const { found, parser } = collect()
    parser.push(frame(Kind.Ping, 1, none, frameLimit + 1))
    parser.push(frame(Kind.Ping, 2))
    assert.strictEqual(found.length, 1)
  })

  it("reports whether the bytes may end here", () => {
    for (const kind of [Kind.Request, Kind.PartRequest]) {
      const stream = Buffer.concat([frame(kind, 1, noise(30, 1)), frame(Kind.Ping, 2)])
      const { parser } = collect()
      const boundaries: Array<number> = []
      for (let at = 0; at < stream.length; at++) {
        if (parser.isAtBoundary) boundaries.push(at)
        parser.push(stream.subarray(at, at + 1))
      }
      assert.deepStrictEqual(boundaries, [0, 39], kindName(kind))
      assert.isTrue(parser.isAtBoundary)
    }
  })

  it("stops in the middle of a push when a handler says so", () => {
    const stream = Buffer.concat([frame(Kind.Ping, 1), frame(Kind.PartRequest, 2, noise(20, 1)), frame(Kind.Pong, 3)])
    for (const stopAfter of [1, 2]) {
      const { found, parser } = collect((parser) => found.length === stopAfter && parser.stop())
      parser.push(stream)
      parser.push(stream)
      assert.strictEqual(found.length, stopAfter)
      assert.isTrue(parser.isAtBoundary)
    }
  })

  it("stops in the middle of a part, and passes no more of it on", () => {
    const { found, parser } = collect()
    parser.push(frame(Kind.PartRequest, 2, noise(20, 1)).subarray(0, 15))
    parser.stop()
    parser.push(noise(14, 2))
    assert.strictEqual(found.length, 1)
    assert.isTrue(parser.isAtBoundary)
  })
})
