/** Sends the server requests: several at once, more than the queue holds, one over its budget, and a hang-up. Then stops the server. */
import { strict as assert } from "node:assert"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { processes, until } from "../../test/fixtures/process/processes.ts"

const server = spawn(process.execPath, [fileURLToPath(new URL("./main.ts", import.meta.url))], {
  env: {
    ...process.env,
    PORT: "0",
    FLAME_MAX: "2",
    // The server listens only when both runners serve: on a busy machine a boot may take longer than the budget of a request.
    FLAME_MIN: "2",
    FLAME_AWAIT_MIN: "true",
    FLAME_QUEUE_CAPACITY: "4",
    FLAME_TIMEOUT: "4 seconds"
  },
  // In a process group of its own, each process that is left at the end can be found.
  detached: true,
  stdio: ["ignore", "pipe", "pipe"]
})
let log = ""
for (const output of [server.stdout, server.stderr]) output.on("data", (chunk) => (log += chunk))
const ended = new Promise<number | null>((resolve) => server.once("close", resolve))
process.once("exit", () => {
  if (server.exitCode === null) process.kill(-server.pid!, "SIGKILL")
})

const said = (pattern: RegExp) => until(() => log.match(pattern) ?? false, `the server says ${pattern}`, 60_000)
const stopped = (below: number) => said(new RegExp(`stopped counting primes below ${below}`))
let port = "?"

const get = async (below: number | string, signal?: AbortSignal) => {
  const response = await fetch(`http://localhost:${port}/primes/${below}`, signal === undefined ? {} : { signal })
  const { count, message } = (await response.json()) as { readonly count?: number; readonly message?: string }
  return { status: response.status, count, message, retryAfter: response.headers.get("retry-after") }
}
const check = async (name: string, run: () => Promise<void>) => {
  await run()
  console.log(`ok: ${name}`)
}

try {
  port = (await said(/Listening on http:.*:(\d+)/))[1]!

  await check("requests that are sent at once each get their own answer", async () => {
    const known = [
      [10, 4],
      [100, 25],
      [1000, 168],
      [10_000, 1229]
    ] as const
    const answers = await Promise.all(known.map(([below]) => get(below)))
    assert.deepEqual(
      answers.map(({ count }) => count),
      known.map(([, count]) => count)
    )
  })

  await check("a path that is not a number is answered with 400", async () => {
    assert.equal((await get("many")).status, 400)
  })

  await check(
    "a request beyond the queue's capacity is answered with 503 and Retry-After; a hang-up stops the function",
    async () => {
      const hangUp = new AbortController()
      // Two run, four wait, and two are refused.
      const requests = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => get(900_000_000 + n, hangUp.signal))
      const refused: Array<Awaited<(typeof requests)[number]>> = []
      const settled = requests.map((request) =>
        request.then(
          (answer) => refused.push(answer),
          () => "hung up"
        )
      )
      await until(() => refused.length === 2, "two are refused")
      for (const { message, retryAfter, status } of refused) {
        assert.deepEqual([status, retryAfter], [503, "1"])
        assert.match(message!, /4 calls wait in pool/)
      }
      hangUp.abort()
      assert.equal((await Promise.all(settled)).filter((how) => how === "hung up").length, 6)
      await until(
        () => (log.match(/stopped counting primes below 90000000\d/g) ?? []).length === 2 || false,
        "both functions are stopped"
      )
    }
  )

  await check("a request over its budget is answered with 504, and its function is stopped", async () => {
    const { message, status } = await get(950_000_000)
    assert.equal(status, 504)
    assert.match(message!, /took longer than its 4000 ms/)
    await stopped(950_000_000)
  })

  await check("SIGTERM lets the request in flight finish, and no process is left", async () => {
    const last = get(600_000)
    await said(/counting primes below 600000/)
    process.kill(server.pid!, "SIGTERM")
    const { count, status } = await last
    assert.deepEqual([status, count], [200, 49_098])
    assert.equal(await ended, 0)
    assert.throws(() => process.kill(-server.pid!, 0), /ESRCH/)
    assert.deepEqual(
      processes().filter(({ args }) => args.includes(`effect-flame-reaper ${server.pid}`)),
      []
    )
  })
} catch (error) {
  console.error(error)
  console.error(`the server said:\n${log}`)
  process.exitCode = 1
}
process.exit()
