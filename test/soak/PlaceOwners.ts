/**
 * The owners in the soak of placed services. Each places a service, sends requests, and ends in one of several ways.
 */
import { Cause, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { Flame, FlameError, Pool } from "../../src/index.ts"
import * as Random from "../simulation/Random.ts"
import type { PlaceBooks } from "./PlaceBooks.ts"
import { tally } from "./PlaceServices.ts"

/** Limit of `Flame.place`, and of the end of a service, in milliseconds. */
const placeLimit = 60_000
const endLimit = 15_000

const placing = (name: string, slow: number, fails: boolean) =>
  Flame.place(tally, { name, slow, fails }, { timeout: placeLimit })

type Client = Effect.Success<ReturnType<typeof placing>>
type Fate = "closes" | "interrupted" | "ends" | "dies" | "fails to build"

let named = 0

export class PlaceOwners {
  private readonly books: PlaceBooks
  private readonly isOver: () => boolean

  constructor(books: PlaceBooks, isOver: () => boolean) {
    this.books = books
    this.isOver = isOver
  }

  /** Runs owners one after the other until the end of the soak. */
  forever(random: Random.Random) {
    return Effect.gen({ self: this }, function* () {
      while (!this.isOver()) {
        yield* this.one(random)
        yield* Effect.sleep(random() * 200)
      }
    })
  }

  private one(random: Random.Random) {
    const kind = random()
    const fate: Fate =
      kind < 0.3
        ? "closes"
        : kind < 0.6
          ? "interrupted"
          : kind < 0.77
            ? "ends"
            : kind < 0.95
              ? "dies"
              : "fails to build"
    const life = random() < 0.1 ? random() * 30 : random() * 6_000
    const name = `s${named++}`
    const placed = placing(name, Math.floor(random() * 60), fate === "fails to build")
    if (fate === "interrupted") return this.interrupted(placed, random, life)
    return Effect.gen({ self: this }, function* () {
      const scope = yield* Scope.make()
      const exit = yield* Effect.exit(Effect.provideService(placed, Scope.Scope, scope))
      if (Exit.isSuccess(exit)) yield* this.live(exit.value, scope, random, life, fate)
      else this.judge(`place of ${name} that ${fate}`, exit, fate === "fails to build" ? isDefect : isTimeOut)
      yield* this.bounded(`the Scope of ${name} that ${fate}`, Scope.close(scope, Exit.void))
    })
  }

  /** Sends requests until the service's time is over, ends the service, and checks how the end is reported. */
  private live(client: Client, scope: Scope.Closeable, random: Random.Random, life: number, fate: Fate) {
    return Effect.gen({ self: this }, function* () {
      this.books.count("placed")
      const told = yield* Effect.forkChild(Effect.exit(Flame.ended(client)), { startImmediately: true })
      const asking = yield* Effect.forkChild(this.asks(client, random, told))
      yield* Effect.timeoutOption(Fiber.join(told), life)
      if (fate === "ends" || fate === "dies") {
        const asked = yield* Effect.exit(fate === "ends" ? client.end() : client.die())
        this.judge(`the request to ${fate}`, asked, () => false)
      } else yield* this.bounded("closing a Scope", Scope.close(scope, Exit.void))
      // Requests in flight must end too.
      yield* this.bounded(`requests to one that ${fate}`, Fiber.await(asking))
      const end = yield* this.bounded(`ended of a service that ${fate}`, Fiber.join(told))
      if (end !== undefined) this.judge(`ended of one that ${fate}`, end, (error) => fate === "dies" && isDefect(error))
    })
  }

  private interrupted(placed: ReturnType<typeof placing>, random: Random.Random, life: number) {
    return Effect.gen({ self: this }, function* () {
      const using = Effect.flatMap(placed, (client) => {
        this.books.count("placed")
        return Effect.andThen(this.asks(client, random), Effect.never)
      })
      const fiber = yield* Effect.forkChild(Effect.exit(Effect.scoped(using)), { startImmediately: true })
      yield* Effect.sleep(life)
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* this.bounded("the interruption of an owner", Fiber.await(interrupting))
      const exit = fiber.pollUnsafe()
      if (exit === undefined) return
      this.books.count("interrupted")
      this.judge("the owner that is interrupted", Exit.isSuccess(exit) ? exit.value : exit, isTimeOut)
    })
  }

  /** Sends requests and takes streams, in sequence and concurrently, until the service has ended. */
  private asks(client: Client, random: Random.Random, told?: Fiber.Fiber<unknown, unknown>) {
    return Effect.gen({ self: this }, function* () {
      let sum = 0
      const service = { alive: true }
      const ask = <A>(what: string, request: Effect.Effect<A, unknown>, fits: (value: A) => boolean) =>
        Effect.map(Effect.exit(request), (exit) => {
          if (Exit.isSuccess(exit) && !fits(exit.value)) this.books.violation(`${what} gave ${String(exit.value)}`)
          this.judge(what, exit, () => false)
          if (Exit.isFailure(exit)) service.alive = false
        })
      const kinds = [
        () => ask("add", client.add({ n: 1 }), (value) => value === ++sum),
        () => {
          const bytes = new Uint8Array(Math.floor(200_000 ** random()))
          return ask("echo", client.echo(bytes), (value) => value.length === bytes.length)
        },
        () => {
          const to = 1 + Math.floor(random() * 500)
          return ask("count", Stream.runCollect(client.count({ to })), (items) => items.length === to)
        },
        () => ask("pour", Stream.runDrain(Stream.take(client.pour(), 5)), () => true),
        () => ask("hold", Effect.timeoutOption(client.hold(), random() * 200), (option) => option._tag === "None"),
        () => ask("askOwner", client.askOwner({ n: 4 }), (value) => value === 8),
        () => ask("sumOfOwner", client.sumOfOwner({ from: 100 }), (value) => value === 5_050)
      ]
      while (service.alive && told?.pollUnsafe() === undefined) {
        const beside = ask("beside", client.askOwner({ n: 3 }), (value) => value === 6)
        const one = Random.pick(kinds, random())!()
        yield* random() < 0.3 ? Effect.zip(one, beside, { concurrent: true }) : one
        yield* Effect.sleep(random() * 400)
      }
    })
  }

  /** Checks a failure: only the death of a runner or of the service may cause it. */
  private judge(what: string, exit: Exit.Exit<unknown, unknown>, fits: (error: unknown) => boolean): void {
    if (Exit.isSuccess(exit)) return this.books.count(what.split(" ")[0]!)
    if (exit.cause.reasons.every(({ _tag }) => _tag === "Interrupt")) return this.books.count("cut")
    const error = Cause.squash(exit.cause)
    const reason = error instanceof FlameError.FlameError ? error.reason : undefined
    this.books.count(reason?._tag ?? "died")
    if (reason?._tag === "ServiceEnded" || fits(error)) return
    if (reason?._tag === "RunnerLost" && this.books.killed.has(reason.runner)) return
    this.books.violation(`${what} failed: ${Cause.pretty(exit.cause).slice(0, 600)}`)
  }

  private bounded<A>(what: string, effect: Effect.Effect<A>): Effect.Effect<A | undefined> {
    const late = () => Effect.sync(() => this.books.violation(`${what} took over ${endLimit} ms`))
    return Effect.timeoutOrElse(Effect.interruptible(effect), { duration: endLimit, orElse: late }) as Effect.Effect<
      A | undefined
    >
  }
}

const isDefect = (error: unknown): boolean => error instanceof Flame.RemoteDefect

// When runners are killed again and again, a runner may not be ready in time.
const isTimeOut = (error: unknown): boolean =>
  error instanceof FlameError.FlameError && error.reason._tag === "TimedOut" && error.reason.phase !== "running"

/** The present status of the pool. */
export const poolStatus = Effect.flatMap(Pool, (pool) => pool.status)
