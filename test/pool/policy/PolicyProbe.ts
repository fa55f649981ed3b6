/** Drives a pool's policy in a test: named events in, commands out as short lines, time as a number. */
import * as Policy from "../../../src/pool/policy/Policy.ts"
import * as Ticket from "../../../src/pool/policy/Ticket.ts"

export const options: Policy.Options = {
  min: 0,
  max: 10,
  concurrency: 1,
  spare: 0,
  queueCapacity: 10_000,
  strategy: "spread",
  maxCalls: undefined,
  maxLifetime: undefined,
  idleTimeToLive: 30_000,
  minIdleTimeToLive: undefined,
  asksIdle: false,
  backoff: { base: 1000, cap: 30_000 },
  // Off by default, so that a runner may be lost at once. Tests of crash loops turn it on.
  crashLoopTime: 0,
  bootPatience: 60_000
}

type Timed<E> = E extends { readonly now: number } ? Omit<E, "now"> : never

export class PoolProbe {
  now = 0
  readonly pool: Policy.PolicyState
  /** The cause of every BootFailed command. */
  readonly causes: Array<unknown> = []
  /** The cause and the attempts of every Hopeless command. */
  readonly hopeless: Array<readonly [unknown, number]> = []
  private readonly tickets = new Map<string, Ticket.Ticket>()

  constructor(changes: Partial<Policy.Options> = {}, seed = 1) {
    this.pool = Policy.make({ ...options, ...changes }, seed)
  }

  get snapshot(): Policy.Snapshot {
    return Policy.snapshot(this.pool)
  }

  /** Runners and their phases in the policy, as in "0 ready, 1 booting". */
  get phases(): string {
    return Policy.runners(this.pool)
      .map((_) => `${_.runner} ${_.phase}`)
      .join(", ")
  }

  ticket(name: string): Ticket.Ticket {
    const ticket = this.tickets.get(name)
    if (ticket === undefined) throw new Error(`no ticket ${name}`)
    return ticket
  }

  send(event: Timed<Policy.Event>): Array<string> {
    const commands = Policy.step(this.pool, { ...event, now: this.now })
    return commands
      .filter((_) => _._tag !== "Hopeless" || !this.hopeless.push([_.cause, _.attempts]))
      .map((_) => this.describe(_))
  }

  submit(name: string, fields?: { readonly lease?: number; readonly cast?: boolean }): Array<string> {
    const ticket = Ticket.make(fields)
    this.tickets.set(name, ticket)
    return this.send({ _tag: "Submit", ticket })
  }

  submitAll(...names: ReadonlyArray<string>): Array<string> {
    return names.flatMap((name) => this.submit(name))
  }

  release = (name: string, completed = true) => this.send({ _tag: "Released", ticket: this.ticket(name), completed })
  releaseAll = (...names: ReadonlyArray<string>) => names.flatMap((name) => this.release(name))
  withdraw = (name: string) => this.send({ _tag: "Withdraw", ticket: this.ticket(name) })
  requeue = (name: string, keepsTurn = true) => this.send({ _tag: "Requeue", ticket: this.ticket(name), keepsTurn })
  /** Requeues a call that may have ended its runners. */
  suspect(name: string): Array<string> {
    Object.assign(this.ticket(name), { isSuspect: true })
    return this.requeue(name, false)
  }
  ready = (...runners: ReadonlyArray<number>) => runners.flatMap((runner) => this.send({ _tag: "Ready", runner }))
  lost = (runner: number) => this.send({ _tag: "Lost", runner })
  gone = (runner: number) => this.send({ _tag: "Gone", runner })
  resize = (changes: Partial<Policy.Options>) =>
    this.send({ _tag: "Resize", options: { ...this.pool.options, ...changes } })
  close = () => this.send({ _tag: "Close" })
  tick = () => this.send({ _tag: "Tick" })

  failBoot(runner: number, cause: unknown = "quota", transient = true): Array<string> {
    return this.send({ _tag: "BootFailed", runner, transient, cause })
  }

  openLease(name: string): Array<string> {
    const ticket = Ticket.make()
    this.tickets.set(name, ticket)
    return this.send({ _tag: "LeaseOpen", ticket })
  }

  closeLease = (lease: number) => this.send({ _tag: "LeaseClose", lease })
  answer = (runner: number, idle: boolean) => this.send({ _tag: "IdleAnswer", runner, idle })

  /** Lets time pass, with a tick whenever the policy asks for one. */
  wait(millis: number): Array<string> {
    const end = this.now + millis
    const lines: Array<string> = []
    for (let wake = Policy.wakeAt(this.pool); wake !== undefined && wake <= end;) {
      this.now = wake
      lines.push(...this.tick())
      wake = Policy.wakeAt(this.pool)
    }
    this.now = end
    return lines
  }

  private describe(command: Policy.Command): string {
    const name = "ticket" in command ? [...this.tickets].find(([, _]) => _ === command.ticket)?.[0] : undefined
    switch (command._tag) {
      case "Boot":
        return `boot ${command.runner}`
      case "Dispatch":
        return `${name} on ${command.runner}`
      case "Reject":
        if (command.why === "BootFailed") this.causes.push([command.cause, command.attempts])
        return `${name} ${command.why}`
      case "Drain":
        return `drain ${command.runner} ${command.why}`
      case "Hopeless":
        return "hopeless"
      case "AskIdle":
        return `ask ${command.runner}`
      case "LeaseGranted":
        return `${name} leases ${command.runner} as ${command.lease}`
    }
  }
}

/** A pool with runners 0 to `count - 1` ready and idle. */
export const warm = (count: number, changes: Partial<Policy.Options> = {}): PoolProbe => {
  const probe = new PoolProbe({ ...changes, min: count, max: Math.max(count, changes.max ?? options.max) })
  probe.tick()
  for (let runner = 0; runner < count; runner++) probe.ready(runner)
  if (changes.min !== count) probe.resize({ min: changes.min ?? 0, max: changes.max ?? options.max })
  return probe
}
