/** Feeds bodies of single frames with a few changed bytes to every decoder that reads bytes of a peer. */
import * as assert from "node:assert/strict"
import { decodeDefect } from "../../src/function/DefectCodec.ts"
import * as FlameErrorCodec from "../../src/function/FlameErrorCodec.ts"
import * as Refusal from "../../src/call/Refusal.ts"
import { isPrintable } from "../../src/error/PeerText.ts"
import { checkHello, decodeFailure, decodeWelcome } from "../../src/wire/Handshake.ts"
import { protocol } from "../../src/wire/Frame.ts"
import * as NestedHead from "../../src/wire/NestedHead.ts"
import { decodeHead, encodeHead } from "../../src/wire/Request.ts"
import { decodeLines } from "../../src/wire/LogLineDecoding.ts"
import * as Random from "../simulation/Random.ts"
import { int, noise } from "../wire/kit.ts"

const text = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const ids = { traceId: "ab".repeat(16), spanId: "cd".repeat(8), sampled: true }
const extras = { annotations: { a: { b: ["c\u001b[2J"] } }, level: "Debug" as const, references: { x: 1 } }
const target = { pool: "p", name: "f", layout: "l", idempotent: true, cast: false, isUnbounded: true }
const expected = { runner: "r", life: "l", fingerprints: new Map([["f", "1"]]) }

const printableAll = (value: unknown): void => {
  if (typeof value === "string") for (const line of value.split("\n")) assert.ok(isPrintable(line), line)
  else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      printableAll(key)
      printableAll(item)
    }
  }
}

/** A valid body, its decoder, and the checks of the outcome. */
const decoders: ReadonlyArray<readonly [body: Buffer, check: (body: Buffer) => void]> = [
  [Buffer.from(encodeHead(1, 5, ids, extras)), (body) => void decodeHead(body)],
  [
    Buffer.from(NestedHead.encode(1, target, 5, ids, extras)),
    (body) => {
      const head = NestedHead.decode(body)
      if (head !== undefined) printableAll([head.name, head.layout])
    }
  ],
  [
    text([
      { level: "Info", at: 1, message: ["a", { b: 1 }], annotations: { "k\u202e": 1 }, cause: "c", spans: [["s", 1]] },
      2
    ]),
    (body) => printableAll(decodeLines(body))
  ],
  [
    text({
      protocol,
      build: "b",
      runner: "r",
      life: "l",
      functions: [["f", "1"]],
      steps: { importing: 1, imported: 2, said: 3 }
    }),
    (body) => {
      const hello = checkHello(body, expected)
      if ("_tag" in hello) printableAll(hello.message)
      else printableAll([hello.build, hello.runner, hello.life])
    }
  ],
  [text({ cancelGrace: 1, drainTimeout: 1, maxPayload: 1, maxResult: 1 }), (body) => void decodeWelcome(body)],
  [text({ _tag: "Crashed", exitCode: 1, detail: "x\u0007" }), (body) => printableAll(decodeFailure(body).message)],
  [text({ name: "E", message: "m\n n", stack: "s" }), (body) => printableAll(decodeDefect(body))],
  [
    text({ why: "PayloadTooLarge", size: 1, limit: 2 }),
    (body) => void Refusal.reasonOf("f", Refusal.decode(body), "r")
  ],
  [
    text({ reason: { _tag: "PoolMissing", pool: "p", function: "f", detail: "d" } }),
    (body) => void FlameErrorCodec.decode(body).message
  ]
]

/** Feeds one changed body to its decoder. */
export const decode = (random: Random.Random): boolean => {
  const [whole, check] = Random.pick(decoders, random()) ?? decoders[0]!
  let body = Buffer.from(whole)
  for (let i = int(random, 1, 4); i > 0 && body.length > 0; i--) {
    const at = int(random, 0, body.length - 1)
    const roll = random()
    if (roll < 0.6) body[at] = int(random, 0, 255)
    else if (roll < 0.8) body = Buffer.concat([body.subarray(0, at), noise(int(random, 1, 8), at), body.subarray(at)])
    else body = body.subarray(0, at)
  }
  check(body)
  return true
}
