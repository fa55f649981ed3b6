/** Feeds random bytes, and encodings with a few changed bytes, to the decoders of random schemas. */
import * as assert from "node:assert/strict"
import * as fc from "fast-check"
import { CodecError, makeSchemaCodec } from "../../src/schema/SchemaCodec.ts"
import { describe } from "../../src/schema/SchemaLayout.ts"
import { pairsOf } from "../fixtures/values/pairs.ts"

export interface FuzzReport {
  decoded: number
  refused: number
  /** CPU time of the slowest message, in milliseconds. */
  worst: number
}

/**
 * Decodes `runs` messages for each of the schemas of a seed. Throws if a decoder fails with anything but a
 * `CodecError`.
 */
export const fuzzDecoders = (seed: number, schemas: number, runs: number): FuzzReport => {
  const report: FuzzReport = { decoded: 0, refused: 0, worst: 0 }
  const random = randomOf(seed)
  for (const { schema, values } of pairsOf(seed, schemas)) {
    const codec = makeSchemaCodec(schema, { what: "the value", maxValue: 1024 * 1024 })
    const samples = fc.sample(values, { seed, numRuns: 20 }).flatMap((value) => {
      try {
        return [Buffer.from(codec.encode(value))]
      } catch (error) {
        // Schema treats a key that every object inherits, such as `constructor`, as a field that exists.
        assert.ok(error instanceof CodecError)
        return []
      }
    })
    if (samples.length === 0) samples.push(Buffer.alloc(0))
    for (let i = 0; i < runs; i++) {
      const bytes = i % 8 === 0 ? noise(random) : changed(samples[i % samples.length]!, random)
      const began = process.cpuUsage()
      try {
        codec.decode(bytes, false)
        report.decoded++
      } catch (error) {
        assert.ok(
          error instanceof CodecError,
          `${describe(schema)}, ${bytes.toString("hex").slice(0, 200)}: ${String(error)}`
        )
        report.refused++
      }
      const { system, user } = process.cpuUsage(began)
      report.worst = Math.max(report.worst, (system + user) / 1000)
    }
  }
  return report
}

type Random = (below: number) => number

const randomOf = (seed: number): Random => {
  let state = (seed + 1) >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const noise = (random: Random): Buffer => Buffer.from(Array.from({ length: random(64) }, () => random(256)))

/**
 * A message with bytes changed, cut off or inserted. Mostly lengths and counts, because these change the meaning most.
 */
const changed = (message: Buffer, random: Random): Buffer => {
  let bytes = Buffer.from(message)
  for (let i = 0; i <= random(3); i++) {
    const at = random(bytes.length + 1)
    switch (random(4)) {
      case 0:
        bytes = bytes.subarray(0, at)
        break
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), noise(random), bytes.subarray(at)])
        break
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.alloc(random(6), 0xff), bytes.subarray(at)])
        break
      default:
        if (at < bytes.length) bytes[at] = random(256)
    }
  }
  return bytes
}
