/** Plays a schedule to its end, and reports the first broken rule. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { EntryMissing, LaunchFailed } from "../../src/error/BootFailure.ts"
import { begin, isDoing, type Operation } from "./Operations.ts"
import * as Rules from "./Rules.ts"
import type { Action, Schedule } from "./Schedule.ts"
import { World } from "./World.ts"

/** The result of a schedule. */
export interface Played {
  /** The number of calls, casts, streams and placed services. */
  readonly operations: number
  /** The broken rule as text. Undefined if none was broken. */
  readonly broken: string | undefined
}

/** Milliseconds within which everything must have ended after the last fault. */
const patience = 10 * 60_000

/** Milliseconds that a closing pool may take beyond its `drainTimeout` to end its runners. */
const closing = 8_000

export const play = async (schedule: Schedule): Promise<Played> => {
  const player = new Player(schedule)
  let broken: string | undefined
  try {
    broken = await player.all()
  } catch (error) {
    broken = error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
  return { operations: player.operations.length, broken }
}

class Player {
  readonly operations: Array<Operation> = []
  private readonly world = new World()
  private readonly schedule: Schedule
  private most: number
  private isClosed = false

  constructor(schedule: Schedule) {
    this.schedule = schedule
    this.most = schedule.options.max
  }

  async all(): Promise<string | undefined> {
    const { options, steps } = this.schedule
    await this.world.open(options)
    for (const { action, wait } of steps) {
      await this.world.time.advance(wait)
      this.act(action)
      // With no wait, two steps meet in one turn.
      if (wait > 0) await this.world.time.settle()
      const broken = this.atAnyTime()
      if (broken !== undefined) return broken
      if (this.isClosed) break
    }
    return (await this.toTheEnd()) ?? (await this.closed())
  }

  /** The rules that hold at all times. */
  private atAnyTime(): string | undefined {
    const { now } = this.world
    return now > this.most ? `${now} runners exist, where ${this.most} may` : undefined
  }

  /** Runs without faults until all operations have ended, and checks that only `min` runners are left. */
  private async toTheEnd(): Promise<string | undefined> {
    const { ledger, time } = this.world
    this.heal()
    const until = time.now + patience
    while (!this.isClosed && time.now < until && this.operations.some(({ ended }) => ended === undefined)) {
      await time.advance(500)
      this.heal()
    }
    if (this.isClosed) return undefined
    for (const operation of this.operations) {
      const broken = Rules.violation(operation, ledger, this.schedule.options)
      if (broken !== undefined) return broken
    }
    return await this.quiet()
  }

  private async quiet(): Promise<string | undefined> {
    const { pool, time } = this.world
    const until = time.now + patience
    const isQuiet = async (): Promise<boolean> => {
      const { booting, busySlots, draining, leases, ready, waiting } = await this.world.value(pool.status)
      return waiting + busySlots + leases + draining + booting === 0 && ready === this.schedule.options.min
    }
    while (!(await isQuiet())) {
      if (time.now > until) return `the pool is never quiet: ${JSON.stringify(await this.world.value(pool.status))}`
      await time.advance(1_000)
      this.heal()
    }
    const { calls, failed, interrupted, succeeded } = (await this.world.value(pool.status)).totals
    return calls === succeeded + failed + interrupted
      ? undefined
      : `${calls} calls, of which ${succeeded} succeeded, ${failed} failed and ${interrupted} were interrupted`
  }

  /** Checks that the pool closes in time, and leaves nothing. */
  private async closed(): Promise<string | undefined> {
    const { ledger, spans, time, value } = { ...this.world, value: this.world.value.bind(this.world) }
    const began = time.now
    if (!(await this.world.close(this.schedule.options.drainTimeout + closing)))
      return `the pool is not closed ${time.now - began} ms after it was told to`
    // Callers may still do work that needs no pool, such as reading on or pausing.
    for (let i = 0; i < 120 && this.operations.some(({ ended }) => ended === undefined); i++) await time.advance(1_000)
    await time.settle()
    for (const operation of this.operations) {
      const broken = Rules.violation(operation, ledger, this.schedule.options)
      if (broken !== undefined) return broken
    }
    if ((await value(this.world.faults.list)).length > 0 || this.world.now > 0) return "a runner is left"
    const running = [...ledger.executions].filter(([, runs]) => runs.some(({ ended }) => ended === undefined))
    if (running.length > 0) return `jobs ${running.map(([id]) => id).join(", ")} still run`
    // A runner that is killed ends none of its spans.
    const open = [...spans].filter(([{ name }, ends]) => ends > 1 || (ends === 0 && !name.endsWith(".run")))
    if (open.length > 0) return `span ${open[0]![0].name} has ended ${open[0]![1]} times`
    await time.advance(patience)
    return time.asleep > 0 ? `${time.asleep} fibers still wait for time to pass` : undefined
  }

  private heal(): void {
    const { faults, pipes } = this.world
    this.world.run(Effect.all([faults.freeze(false), faults.delayBoots(0), faults.muteBoots(false)]))
    for (const pipe of pipes.values()) pipe.latency = 0
  }

  private act(action: Action): void {
    if (isDoing(action)) {
      this.operations.push(begin(action, this.world.context, () => this.world.time.now))
      return
    }
    const { faults, pool, time } = this.world
    switch (action._tag) {
      case "Interrupt":
        return this.interrupt(action.which)
      case "Kill":
        return this.onRunner(action.which, (id) => this.world.run(this.world.kill(id)))
      case "Cut":
        return this.onRunner(action.which, (id) =>
          this.world.run(
            faults.disconnect({ id, ...(action.tellAfter === undefined ? {} : { tellAfter: action.tellAfter }) })
          )
        )
      case "Drain":
        return this.onRunner(action.which, (id) => this.world.run(faults.terminate(id)))
      case "Freeze":
        return this.onRunner(action.which, (id) => this.world.run(faults.freeze(true, id)))
      case "Thaw":
        return this.world.run(faults.freeze(false))
      case "Slow":
        return this.onPipe(action.which, (id) => (this.world.pipes.get(id)!.latency = action.latency))
      case "Garbage":
        return this.onPipe(action.which, (id) => this.world.pipes.get(id)!.inject(Uint8Array.from(action.bytes)))
      case "FailBoots": {
        const cause = () => (action.permanent ? new EntryMissing({ entry: "no" }) : new LaunchFailed({ detail: "no" }))
        return this.world.run(faults.failBoots(...Array.from({ length: action.count }, cause)))
      }
      case "DelayBoots":
        return this.world.run(faults.delayBoots(action.millis))
      case "MuteBoots":
        return this.world.run(faults.muteBoots(action.mute))
      case "Resize":
        this.most = Math.max(this.most, action.max)
        return this.world.run(pool.resize({ max: action.max, concurrency: action.concurrency }))
      case "Close":
        this.isClosed = true
        return void time
    }
  }

  private interrupt(which: number): void {
    const open = this.operations.filter(({ ended, interrupted }) => ended === undefined && interrupted === undefined)
    const operation = open[Math.floor(which * open.length)]
    if (operation === undefined) return
    operation.interrupted = this.world.time.now
    this.world.run(Fiber.interrupt(operation.fiber!))
  }

  private onPipe(which: number, use: (id: string) => void): void {
    const ids = [...this.world.pipes.keys()]
    const id = ids[Math.floor(which * ids.length)]
    if (id !== undefined) use(id)
  }

  /** Applies `use` to one of the existing runners, booting ones included. */
  private onRunner(which: number, use: (id: string) => void): void {
    this.world.run(
      Effect.flatMap(this.world.faults.list, (list) =>
        Effect.sync(() => {
          const runner = list[Math.floor(which * list.length)]
          if (runner !== undefined) use(runner.id)
        })
      )
    )
  }
}
