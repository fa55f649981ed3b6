/**
 * The rules that must hold after every step. Facts that the world cannot know, such as which runner is being
 * consolidated, come from the pool's own view, and can only allow the pool less work.
 */
import * as Policy from "../../src/pool/policy/Policy.ts"
import { expect, type PoolWorld, type Runner } from "./PoolWorld.ts"

/** The load of a pool over time, to check the pool's decisions. */
export class LoadHistory {
  private readonly entries: Array<{ readonly at: number; readonly load: number }> = []

  note(world: PoolWorld): void {
    const { leases, used } = Policy.snapshot(world.pool)
    const waiting = world.in("waiting").filter((_) => _.lease < 0).length
    this.entries.push({ at: world.now, load: used + leases + waiting })
  }

  /** The peak load since a time, that time included. */
  peakSince(time: number): number {
    const first = this.entries.findLastIndex((_) => _.at <= time)
    if (first > 0) this.entries.splice(0, first)
    return this.entries.reduce((peak, _) => Math.max(peak, _.load), 0)
  }
}

export const check = (world: PoolWorld): void => {
  checkNested(world)
  checkBooks(world)
  checkPinned(world)
  checkWaiting(world)
  checkGrowth(world)
  checkRest(world)
}

const checkBooks = (world: PoolWorld): void => {
  const all = [...world.runners.values()]
  const seen = Policy.snapshot(world.pool)
  const views = Policy.runners(world.pool)
  const { concurrency, maxCalls } = world.options
  const serving = views.filter((_) => _.phase === "ready")
  const offers = serving
    .filter((_) => _.responsive && world.runners.get(_.runner)?.suspect === undefined)
    .map((_) => Math.max(0, Math.min(concurrency - _.used, (maxCalls ?? Infinity) - _.calls)))
  const books = {
    runners: all.length,
    booting: all.filter((_) => _.phase === "booting").length,
    ready: serving.length,
    unresponsive: serving.filter((_) => !_.responsive).length,
    free: offers.reduce((total, _) => total + _, 0),
    used: all.reduce((total, _) => total + _.slots.size, 0),
    suspended: world.suspended().length,
    waiting: world.in("waiting").length,
    leases: world.leases.size,
    closed: world.closed
  }
  for (const name of Object.keys(books) as Array<keyof typeof books>) {
    expect(seen[name] === books[name], `the books agree, but ${name}: ${seen[name]} in the pool, ${books[name]} here`)
  }
  for (const view of views) {
    const runner = world.runners.get(view.runner)
    expect(runner?.slots.size === view.used && runner.calls === view.calls, "the books agree on each runner")
    expect((view.phase === "ready" || view.phase === "retiring") === (runner?.phase === "up"), "phases agree")
  }
  for (const call of world.calls) {
    if (call.stage === "running") expect(call.isSuspended === call.waits, "a ticket says whether it is suspended")
    if (call.stage !== "orphan") expect(call.state === call.stage, `a ticket that is ${call.stage} says ${call.state}`)
  }
}

/**
 * Checks that a waiting nested call is served as soon as a slot is free, or all calls on one wait too. So if no call is
 * served, some call still goes on, or a runner boots, ends or is unresponsive.
 */
const checkNested = (world: PoolWorld): void => {
  if (world.nested().length === 0) return
  for (const runner of world.runners.values()) {
    const isReady = world.isReady(runner)
    expect(!(world.takesAny(runner) && isReady), "no nested call is forgotten while a slot is free")
    if (world.takesPinned(runner) && runner.leases.size > 0) {
      expect(world.mayGrow(), "a runner that is kept by a lease gives its free slots where no other can come")
    }
    for (const slot of runner.slots) {
      if (!world.isLent(runner, slot)) continue
      expect(!isReady, "no nested call is forgotten while a suspended call has a slot")
      expect(world.mayGrow(), "a runner that leaves lends its slots where no other can come")
    }
  }
  const runners = [...world.runners.values()]
  const goesOn = world.in("running").some((_) => !_.waits) || world.in("orphan").length > 0
  const changes = runners.some((_) => _.phase !== "up" || !_.responsive || _.isShut)
  const grows = world.mayGrow() || Policy.snapshot(world.pool).backoffUntil !== undefined
  expect(goesOn || changes || grows, "nested calls do not wait for each other only")
  if (world.closed) expect(world.mayServe(), "a closed pool gives up nested calls that nobody can serve")
}

const checkPinned = (world: PoolWorld): void => {
  for (const call of world.in("waiting")) {
    if (call.lease < 0) continue
    const runner = world.leases.get(call.lease)
    if (runner === undefined) return expect(false, "no call waits in a lease that is over")
    expect(runner.phase === "up", "no call stays pinned to a runner that takes none")
    expect(!world.takesPinned(runner), "no pinned waiter is forgotten while its runner has a free slot")
  }
}

const checkWaiting = (world: PoolWorld): void => {
  const { backoffUntil, booting } = Policy.snapshot(world.pool)
  const roots = world.roots()
  const wishes = world.wishes()
  const suspects = world.suspects()
  const open = [...world.runners.values()].filter((_) => offers(world, _))
  if (suspects.length > 0) {
    const isEmpty = (_: Runner) => world.isReady(_) && _.slots.size + _.leases.size === 0
    expect(!open.some(isEmpty), "no suspect is forgotten while a runner is empty")
    const isLost = [...world.runners.values()].some((_) => _.phase === "ended")
    const comes = world.mayGrow() || (isLost && backoffUntil === undefined)
    expect(
      open.length === 0 || comes || world.isSuspectTried(),
      "no suspect is forgotten where no empty runner can come"
    )
    if (world.closed) expect(world.live() > 0, "a closed pool gives up suspects that nobody can serve")
  }
  if (roots.length > 0) expect(open.length === 0, "no waiter is forgotten while a slot is free")
  if (wishes.length > 0) {
    const roomy = open.some((_) => _.slots.size + _.leases.size < world.options.concurrency)
    expect(!roomy, "no wish for a lease is forgotten while a runner has room")
    const grows = booting > 0 || (world.runners.size < world.options.max && backoffUntil === undefined)
    expect(open.length === 0 || grows, "leases share a runner if no other can come")
  }
  if (world.closed) {
    expect(
      world.in("waiting").every((_) => _.cast || _.nested),
      "a closed pool keeps only casts and nested calls waiting"
    )
    expect(booting === 0, "a closed pool gives its boots up")
    expect(roots.length === 0 || world.live() > 0, "a closed pool gives up casts that nobody can serve")
  }
}

/**
 * Whether a runner has a free slot that must be used. A pool that was made smaller ends runners although they have free
 * slots.
 */
const offers = (world: PoolWorld, runner: Runner): boolean => {
  const mayGo = runner.isResized || world.runners.size > world.options.max
  return world.takesAny(runner) && (!mayGo || world.isReady(runner))
}

const checkGrowth = (world: PoolWorld): void => {
  const { backoffUntil, booting, free, used } = Policy.snapshot(world.pool)
  const roots = world.roots().length + world.nested().length
  const wishes = world.wishes().length
  const width = Math.min(world.options.concurrency, world.options.maxCalls ?? Infinity)
  const suspects = world.suspects().length
  const slots = roots + world.spare(used + roots + suspects) - free
  const needed = Math.ceil((Math.max(0, slots) + wishes) / width) + suspects
  const { min } = world.options
  if (world.now >= world.failedAt + world.options.backoff.cap) {
    expect(backoffUntil === undefined, "a backoff lasts no longer than its cap")
  }
  expect(world.live() <= world.options.max, "no more than max take calls or are about to")
  const kept = world.closed || world.mayRest() ? 0 : min
  const covered = booting >= needed && world.live() >= kept
  const barred = world.closed || world.runners.size >= world.options.max || backoffUntil !== undefined
  expect(covered || barred, "the pool grows to what queue, spare and min need, in one go")
  if (world.boots > 0) expect(booting <= needed || world.live() <= min, "the pool grows no further than needed")
}

/**
 * Checks that a pool rests once there has been no call for `minIdleTimeToLive`, no boot is in progress and no outage
 * lasts.
 */
const checkRest = (world: PoolWorld): void => {
  const { backoffUntil, booting, failedBoots, resting } = Policy.snapshot(world.pool)
  expect(!resting || world.mayRest(), "a pool rests only when nobody has called for minIdleTimeToLive")
  const isCalm = booting === 0 && backoffUntil === undefined && failedBoots === 0 && world.since === undefined
  const isDue = world.mayRest() && world.lastTick === world.now && isCalm
  expect(resting || !isDue || world.closed, "a pool rests when nobody has called for minIdleTimeToLive")
}

/** Checks the changes of one tick to runners that were ready before. */
export const checkTick = (world: PoolWorld, before: ReadonlyArray<Policy.RunnerView>, history: LoadHistory): void => {
  const { idleTimeToLive, maxLifetime } = world.options
  const min = world.mayRest() ? 0 : world.options.min
  const wake = Policy.wakeAt(world.pool)
  expect(wake === undefined || wake > world.now, "a tick leaves nothing due")
  const after = Policy.runners(world.pool)
  const wasReady = new Set(before.filter((_) => _.phase === "ready").map((_) => _.runner))
  const chosen = after.filter((view) => {
    const runner = world.runners.get(view.runner)
    const isOld = runner !== undefined && world.now - runner.readyAt >= (maxLifetime ?? Infinity)
    return view.phase === "retiring" && wasReady.has(view.runner) && !isOld
  })
  if (chosen.length === 0) return
  const peak = history.peakSince(world.now - Math.max(1, idleTimeToLive ?? Infinity))
  const left = after.filter((_) => _.phase === "ready" && _.responsive).length
  const width = Math.min(world.options.concurrency, world.options.maxCalls ?? Infinity)
  const enough = Math.max(min, Math.ceil((peak + world.spare(peak)) / width))
  expect(left >= enough, "consolidation leaves what the last idleTimeToLive needed")
  expect(
    chosen.every((_) => _.leases === 0),
    "consolidation leaves leased runners alone"
  )
  expect(world.boots === 0, "consolidation never calls for a boot")
}
