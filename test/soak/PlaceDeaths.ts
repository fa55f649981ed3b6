/** Kills runners, and owners in processes of their own. */
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import * as Random from "../simulation/Random.ts"
import type { PlaceBooks } from "./PlaceBooks.ts"
import { poolStatus } from "./PlaceOwners.ts"
import * as Processes from "./Processes.ts"

const program = fileURLToPath(new URL("./placeOwner.ts", import.meta.url))

/** Milliseconds that runners of a killed owner may live: its `cancelGrace`, and the time of the reaper. */
const orphanLimit = 20_000

export class PlaceDeaths {
  private readonly books: PlaceBooks
  private readonly isOver: () => boolean
  private readonly marker: string

  constructor(books: PlaceBooks, isOver: () => boolean, marker: string) {
    this.books = books
    this.isOver = isOver
    this.marker = marker
  }

  /** Kills a runner now and then, sometimes a booting runner, sometimes half of all runners. */
  runners(random: Random.Random) {
    return Effect.gen({ self: this }, function* () {
      while (!this.isOver()) {
        yield* Effect.sleep(random() * 3_000)
        const { max, ready, runners } = yield* poolStatus
        // If boots are slow, no runner would live long enough to get a service.
        if (ready < max / 2) continue
        const all = runners.filter(
          ({ labels, state }) => labels["pid"] !== undefined && (state !== "booting" || random() < 0.1)
        )
        const half = random() < 0.05
        const victims = half ? all.filter(() => random() < 0.5) : [Random.pick(all, random())].filter((_) => !!_)
        for (const { id, labels } of victims) {
          const pid = Number(labels["pid"])
          this.books.killed.add(id)
          this.books.killedPids.add(pid)
          Processes.signal(pid, "SIGKILL")
          this.books.count("runners killed")
        }
      }
    })
  }

  /** Starts owner processes one after the other, and kills each with its services. */
  owners(random: Random.Random, services: number) {
    return Effect.gen({ self: this }, function* () {
      for (let index = 0; !this.isOver(); index++) {
        yield* this.owner(`${this.marker}-owner-${index}`, services, random() * 3_000)
        yield* Effect.sleep(random() * 2_000)
      }
    })
  }

  private owner(mark: string, services: number, life: number) {
    return Effect.promise(async () => {
      const child = spawn(process.execPath, [program, mark, `${services}`], {
        env: { ...process.env, SOAK_PLACE: mark, SOAK_PLACE_NOTES: this.books.notes },
        stdio: ["ignore", "pipe", "inherit"]
      })
      const exited = once(child, "exit")
      const said = await Promise.race([once(child.stdout, "data"), exited])
      if (String(said[0]).trim() !== "placed") this.books.violation(`owner ${mark} did not place: ${String(said)}`)
      await new Promise((resolve) => setTimeout(resolve, life))
      child.kill("SIGKILL")
      await exited
      this.books.count("owner processes killed")
      const started = performance.now()
      while (left(mark, child.pid!).length > 0) {
        if (performance.now() - started > orphanLimit) {
          for (const line of left(mark, child.pid!)) this.books.violation(`left of owner ${mark}: ${line}`)
          return
        }
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    })
  }
}

/** Other processes that have a mark in `SOAK_PLACE`, zombies included, and the reapers of a process. */
export const left = (mark: string, reaperOf: number): ReadonlyArray<string> =>
  execFileSync("ps", ["-A", "-o", "pid=,ppid=,stat=,args="], { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 })
    .split("\n")
    .filter((line) => {
      const pid = Number.parseInt(line.trim(), 10)
      if (Number.isNaN(pid) || pid === process.pid || line.includes("ps -A -o")) return false
      return line.includes(`effect-flame-reaper ${reaperOf}`) || isZombieOfMine(line) || environment(pid).includes(mark)
    })

const isZombieOfMine = (line: string): boolean => {
  const [, ppid, state] = line.trim().split(/\s+/)
  return Number(ppid) === process.pid && state!.startsWith("Z")
}

// Without /proc, ps shows at least the children of this process.
const environment = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1")
  } catch {
    return ""
  }
}
