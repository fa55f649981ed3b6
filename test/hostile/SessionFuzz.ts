/**
 * Feeds whole sessions with a few changed bytes, frames or lengths to a runner and to its parent.
 *
 * Checks for each session: no exception leaves a data handler, no call gets two final frames, and the session ends or
 * goes on. Does not use vitest, so that a nightly run can do millions.
 */
import * as assert from "node:assert/strict"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as Flame from "../../src/Flame.ts"
import { connect, type RunnerTerms } from "../../src/pool/engine/Introduction.ts"
import type { RunnerCall, RunnerHandle } from "../../src/pool/engine/RunnerHandle.ts"
import { RunnerServer } from "../../src/runner/RunnerServer.ts"
import { headerSize, json, Kind, protocol } from "../../src/wire/Frame.ts"
import * as NestedHead from "../../src/wire/NestedHead.ts"
import { encodeHead } from "../../src/wire/Request.ts"
import * as Random from "../simulation/Random.ts"
import { frame, int, noise, none, open, pieces, u32 } from "../wire/kit.ts"
import { ScriptedTransport } from "../wire/ScriptedTransport.ts"

const echo = Flame.fn("echo", { payload: Schema.Uint8Array, success: Schema.Uint8Array }, Effect.succeed)
const record = Flame.fn(
  "record",
  { payload: { name: Schema.String, n: Schema.Array(Schema.Int) }, success: Schema.String, error: Schema.String },
  ({ name }) => (name === "" ? Effect.fail("empty") : Effect.succeed(name))
)
const never = Flame.fn("never", {}, () => Effect.never)
const functions = [echo, record, never]

const limits = { cancelGrace: 1, drainTimeout: 1, maxPayload: 300_000, maxResult: 300_000 }
const terms: RunnerTerms = { ...limits, runner: "r", life: "l", fingerprints: new Map() }

const head = (index: number, random: Random.Random) =>
  encodeHead(
    index,
    random() < 0.5 ? 1_000 : undefined,
    random() < 0.3 ? { traceId: "ab".repeat(16), spanId: "cd".repeat(8), sampled: true } : undefined,
    random() < 0.3 ? { annotations: { a: "b" }, level: "Debug", references: { x: 1 } } : undefined
  )

const large = (opening: Kind, part: Kind, kind: Kind, id: number, first: Uint8Array, size: number) => [
  frame(opening, id, open(size, kind, first)),
  ...Array.from({ length: Math.ceil(size / 30_000) }, (_, i) =>
    frame(part, id, noise(Math.min(30_000, size - i * 30_000), i))
  )
]

/** Valid frames of a parent. */
const parents = (random: Random.Random): Array<Buffer> => {
  const frames = [frame(Kind.Welcome, 0, json(limits))]
  for (let id = 1; id <= int(random, 1, 6); id++) {
    const index = int(random, 0, 2)
    if (index === 0 && random() < 0.2) {
      frames.push(
        ...large(Kind.OpenRequest, Kind.PartRequest, Kind.Request, id, head(0, random), int(random, 33_000, 90_000))
      )
    } else frames.push(frame(Kind.Request, id, Buffer.concat([head(index, random), noise(int(random, 0, 60), id)])))
    if (random() < 0.3) frames.push(frame(Kind.Cancel, id))
    if (random() < 0.2) frames.push(frame(Kind.CreditResponse, id, u32(1_000)))
    if (random() < 0.2) frames.push(frame(Kind.Ping, 0))
  }
  if (random() < 0.3) frames.push(frame(Kind.Drain, 0, u32(10)))
  return frames
}

const nestedHead = (caller: number) => {
  const target = { pool: "p", name: "f", layout: "l", idempotent: false, cast: false, isUnbounded: false }
  return NestedHead.encode(caller, target, undefined, undefined, undefined)
}

/** Valid frames of a runner that holds the calls from 1 to 6. */
const runners = (random: Random.Random): Array<Buffer> => {
  const hello = { protocol, build: "b", runner: "r", life: "l", functions: functions.map((fn) => [fn.name, fn.layout]) }
  const frames = [frame(Kind.Hello, 0, json(hello))]
  const finals = [Kind.Success, Kind.Failure, Kind.Defect, Kind.Interrupted, Kind.Refused]
  for (let id = 1; id <= int(random, 1, 6); id++) {
    const kind = Random.pick(finals, random()) ?? Kind.Success
    if (random() < 0.2)
      frames.push(...large(Kind.OpenResponse, Kind.PartResponse, kind, id, none, int(random, 33_000, 90_000)))
    else frames.push(frame(kind, id, noise(int(random, 0, 60), id)))
    if (random() < 0.2) frames.push(frame(Kind.Pong, 0))
    if (random() < 0.2) frames.push(frame(Kind.Nested, id, Buffer.concat([nestedHead(id), noise(9, id)])))
    if (random() < 0.1) frames.push(frame(Kind.NestedCancel, id))
    if (random() < 0.1) frames.push(frame(Kind.Logs, 0, json([{ level: "Info", at: 1, message: ["m"] }, 3])))
    if (random() < 0.1) frames.push(frame(Kind.ItemsResponse, id, noise(int(random, 0, 40), id)))
    if (random() < 0.2) frames.push(frame(Kind.CreditRequest, id, u32(1_000)))
  }
  if (random() < 0.2) frames.push(frame(Kind.Draining, 0))
  if (random() < 0.2) frames.push(frame(Kind.Bye, 0))
  return frames
}

const kinds = [...Object.values(Kind), 0, 5, 40, 58, 255]
const lengths = [0, 1, 8, 9, 100, 32_768, 262_144, 262_145, 0x7fffffff, 0xffffffff]
const numbers = [Number.NaN, Infinity, -1, -0, 0.5, 2 ** 31, 2 ** 53, 1e300, 32_768, 100_000, 300_000, 300_001]

/** Applies one random change to a session. */
export const mutate = (frames: Array<Buffer>, random: Random.Random): void => {
  const at = int(random, 0, frames.length - 1)
  const bytes = Buffer.from(frames[at] ?? none)
  frames[at] = bytes
  switch (int(random, 0, 9)) {
    case 0:
      return void frames.splice(at, 1)
    case 1:
      return void frames.splice(at, 0, bytes)
    case 2:
      return void frames.splice(int(random, 0, frames.length - 1), 0, ...frames.splice(at, 1))
    case 3:
      return void (frames[at] = bytes.subarray(0, int(random, 0, bytes.length)))
    case 4:
      return void (frames[at] = noise(int(random, 1, 50), at))
    case 5:
      return void (bytes.length >= headerSize && bytes.writeUInt8(Random.pick(kinds, random()) ?? 0, 4))
    case 6:
      return void (
        bytes.length >= headerSize && bytes.writeUInt32BE(random() < 0.5 ? int(random, 0, 9) : 0xffffffff, 5)
      )
    case 7:
      return void (bytes.length >= headerSize && bytes.writeUInt32BE(Random.pick(lengths, random()) ?? 0, 0))
    case 8:
      return void (
        bytes.length >= headerSize + 8 && bytes.writeDoubleBE(Random.pick(numbers, random()) ?? 0, headerSize)
      )
    default:
      if (bytes.length > 0)
        for (let i = int(random, 1, 3); i > 0; i--) bytes[int(random, 0, bytes.length - 1)] = int(random, 0, 255)
  }
}

/** Frames that all sessions so far had. */
export const counted = { frames: 0 }

const mutated = (frames: Array<Buffer>, random: Random.Random): Buffer => {
  for (let i = int(random, 1, 3); i > 0 && frames.length > 0; i--) mutate(frames, random)
  counted.frames += frames.length
  return Buffer.concat(frames)
}

/** Sends all bytes in pieces, with turns between them, and ends. */
const say = (transport: ScriptedTransport, bytes: Buffer, random: Random.Random) => {
  const cut = random() < 0.5 ? [bytes] : pieces(bytes, random, Math.max(1, bytes.length >> 2))
  for (const piece of cut) {
    transport.feed(piece)
    if (random() < 0.3) transport.rest()
    // As at a socket, nothing arrives after destroy.
    if (transport.isDestroyed) break
  }
  transport.settle()
}

const logged: Array<string> = []
const context = Effect.runSync(
  Effect.context<never>().pipe(
    Effect.provide(Logger.layer([Logger.make<unknown, void>(({ message }) => void logged.push(String(message)))]))
  )
)

/** Fails if the violation is a fault of this side: only the peer may have broken a rule. */
const checkViolation = (violation: string | undefined): void =>
  assert.ok(!(violation ?? "").includes("could not be handled"), violation)

/** Feeds the session of a changed parent to a runner. Returns whether the session was ended. */
export const serve = (random: Random.Random): boolean => {
  const transport = new ScriptedTransport()
  const server = new RunnerServer({
    transport,
    info: { id: "r", pool: "p", parent: "test" },
    life: "l",
    build: "b",
    functions,
    context
  })
  server.start()
  say(transport, mutated(parents(random), random), random)
  const ended = transport.isDestroyed
  // Frames of the runner are well-formed whatever it received. A session may end before its first turn.
  for (const { kind } of transport.frames().slice(0, 1)) assert.equal(kind, Kind.Hello)
  transport.close()
  logged.forEach(checkViolation)
  logged.length = 0
  return ended
}

/** Feeds the session of a changed runner to a parent. Returns whether the session was ended. */
export const receive = (random: Random.Random): boolean => {
  const transport = new ScriptedTransport()
  const finals: Array<number> = []
  const call = (index: number): RunnerCall => ({
    linkId: 0,
    turn: 0,
    final: () => {
      finals[index] = (finals[index] ?? 0) + 1
    }
  })
  let handle: RunnerHandle | undefined
  let closed = 0
  const fiber = Effect.runForkWith(context)(
    Effect.map(connect(transport, terms), (connected) => {
      handle = connected
      connected.events = {
        draining: () => {},
        responsive: () => {},
        nested: (_, __, body) => void NestedHead.decode(body),
        acceptNested: (_, total) => (total > limits.maxPayload ? "too much" : undefined),
        closed: ({ violation }) => {
          closed++
          checkViolation(violation)
        }
      }
      for (let i = 0; i < 6; i++) connected.request(call(i), i % 3, undefined, undefined, undefined, none)
      connected.ping()
    })
  )
  const bytes = mutated(runners(random), random)
  // Hello arrives alone, so that the calls exist when their answers arrive.
  const hello = headerSize + (bytes.length >= 4 ? Math.min(bytes.readUInt32BE(0), 1_000) : 0)
  say(transport, bytes.subarray(0, hello), random)
  say(transport, bytes.subarray(hello), random)
  assert.ok(
    finals.every((count) => count === 1),
    "a call had two final frames"
  )
  if (handle !== undefined) {
    assert.equal(handle.inFlight, 6 - finals.filter(() => true).length)
    assert.equal(closed, 0)
  }
  const ended = transport.isDestroyed
  transport.close()
  transport.close()
  if (handle !== undefined) assert.equal(closed, 1)
  else {
    const exit = fiber.pollUnsafe()
    checkViolation(exit === undefined ? undefined : String(exit))
    fiber.interruptUnsafe()
  }
  return ended
}
