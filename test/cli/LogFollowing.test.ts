import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as Following from "../../src/cli/LogFollowing.ts"
import { sourcesOf, type Wanted } from "../../src/cli/LogSources.ts"
import type { Found } from "../../src/cli/Finding.ts"
import type { RunnerState } from "../../src/cli/cluster/Inventory.ts"
import type { Line } from "../../src/cli/screen/Logs.ts"
import * as Output from "./kit/Output.ts"
import * as Documents from "./kit/Documents.ts"
import { refusal } from "./kit/MemoryCluster.ts"

const wanted: Wanted = { runners: [], follow: true, function: undefined, since: undefined, pods: false }

const broken = refusal("get", "pods/log", 500, "read ECONNRESET", "Broken")

type Lines = Stream.Stream<string, typeof broken>

const second = (at: number, text: string): string => `2026-01-01T12:00:0${at}Z ${text}`

/** Runners by the names of their pods, with a stream for each time that their log is opened. */
const foundOf = (pods: Record<string, () => Lines>, states: Readonly<Record<string, RunnerState>> = {}): Found => {
  const runners = Object.keys(pods).map((pod) => Documents.podRunner(pod, states[pod]))
  const view = { parent: "p", name: "p", isInCluster: false, lives: [], runners }
  return {
    parents: [Documents.parent({ document: undefined, view })],
    where: { namespace: "shop", server: "https://memory", now: 0 },
    cluster: { logs: (pod: string) => Stream.suspend(pods[pod]!) } as never,
    again: () => Effect.sync(() => foundOf(pods, states))
  }
}

const collecting = (found: Found) => {
  const lines: Array<string> = []
  const print = (line: Line) => Effect.sync(() => void lines.push(`${line.runner} ${line.message}`))
  return { lines, effect: Following.follow(found, wanted, 0, print) }
}

it.effect("a source that breaks off ends no other, and is opened again without lines twice [C287]", () =>
  Effect.gen(function* () {
    const more = yield* Deferred.make<string>()
    let opened = 0
    const pods: Record<string, () => Lines> = {
      one: () =>
        opened++ === 0
          ? Stream.concat(Stream.make(second(1, "first")), Stream.fail(broken))
          : Stream.concat(Stream.make(second(1, "first"), second(2, "second")), Stream.never),
      two: () => Stream.fromEffect(Deferred.await(more))
    }
    const { effect, lines } = collecting(foundOf(pods))
    const printed = yield* Effect.forkChild(Output.printedBy(effect))
    yield* TestClock.adjust("10 millis")
    assert.deepStrictEqual(lines, ["one first"])
    // A runner that comes later is followed too.
    pods["three"] = () => Stream.concat(Stream.make(second(3, "new")), Stream.never)
    yield* TestClock.adjust("3 seconds")
    yield* Deferred.succeed(more, second(4, "goes on"))
    yield* TestClock.adjust("10 millis")
    assert.deepStrictEqual(lines.toSorted(), ["one first", "one second", "three new", "two goes on"])
    yield* Fiber.interrupt(printed)
  })
)

it.effect("a source that breaks off is named on standard error once until it sends a line [C287]", () =>
  Effect.gen(function* () {
    const pods = {
      one: () => Stream.fail(broken) as Lines,
      two: () => Stream.concat(Stream.make(second(1, "x")), Stream.never)
    }
    const { effect } = collecting(foundOf(pods))
    const fiber = yield* Effect.forkChild(Output.printedBy(Effect.timeoutOption(effect, "10 seconds")))
    yield* TestClock.adjust("10 seconds")
    const { stderr } = yield* Fiber.join(fiber)
    assert.match(stderr, /^lines of one broke off: [^\n]*ECONNRESET$/)
  })
)

it.effect("the log of a runner that has ended is read once, and one that may go on is opened again [C287]", () =>
  Effect.gen(function* () {
    const opened: Array<string> = []
    const logOf = (name: string) => () => {
      opened.push(name)
      return Stream.make(second(1, name)) as Lines
    }
    const states = { ended: "ended", running: "running" } as const
    const found = foundOf({ ended: logOf("ended"), running: logOf("running") }, states)
    const fiber = yield* Effect.forkChild(Output.printedBy(collecting(found).effect))
    yield* TestClock.adjust("10 seconds")
    assert.lengthOf(
      opened.filter((name) => name === "ended"),
      1
    )
    assert.isAbove(opened.filter((name) => name === "running").length, 1)
    yield* Fiber.interrupt(fiber)
  })
)

it.effect("if no source can be opened, the command fails with the cause [C287]", () =>
  Effect.gen(function* () {
    const pods = { one: () => Stream.fail(broken) as Lines, two: () => Stream.fail(broken) as Lines }
    const { exit } = yield* Output.printedBy(collecting(foundOf(pods)).effect)
    assert.isTrue(Exit.isFailure(exit))
    const sources = sourcesOf(foundOf(pods), { ...wanted, follow: false }, 0)
    assert.strictEqual(yield* Effect.flip(Following.collect(sources)), broken)
  })
)

it.effect("lines that exist are read also if one of the sources fails [C287]", () =>
  Effect.gen(function* () {
    const pods = { one: () => Stream.fail(broken) as Lines, two: () => Stream.make(second(1, "x")) }
    const { exit, stderr } = yield* Output.printedBy(
      Following.collect(sourcesOf(foundOf(pods), { ...wanted, follow: false }, 0))
    )
    assert.isTrue(Exit.isSuccess(exit) && exit.value.length === 1)
    assert.match(stderr, /lines of one could not be read/)
  })
)
