// BullMQ on a Redis of its own, without persistence, which favours BullMQ: queue.add, then job.waitUntilFinished(QueueEvents).
import { Queue, QueueEvents } from "bullmq"
import cp from "node:child_process"
import net from "node:net"
import { promisePeer } from "../caller/promise-loops.mjs"
import { freePort, startChild, stopChild } from "../work/children.mjs"

const connects = (port) =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => {
      socket.destroy()
      resolve(true)
    })
    socket.on("error", () => resolve(false))
  })

const up = async (port) => {
  while (!(await connects(port))) await new Promise((resolve) => setTimeout(resolve, 5))
}

export const infra = async () => {
  const port = await freePort()
  const settings = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
  const redis = cp.spawn("redis-server", settings, { stdio: "ignore" })
  process.on("exit", () => redis.kill("SIGKILL"))
  await up(port)
  return { redis, port }
}

export const start = async ({ workers, exclusive, infra: given }) => {
  const { redis, port } = given ?? (await infra())
  const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null }
  const kept = { removeOnComplete: { count: 200_000 }, removeOnFail: { count: 1000 } }
  const queue = new Queue("work", { connection, defaultJobOptions: kept })
  const events = new QueueEvents("work", { connection })
  events.setMaxListeners(0)
  const settings = JSON.stringify({ port, concurrency: exclusive ? 1 : 64 })
  const [kids] = await Promise.all([
    Promise.all(Array.from({ length: workers }, () => startChild("bullmq-worker.mjs", [settings]))),
    queue.waitUntilReady(),
    events.waitUntilReady()
  ])
  return promisePeer({
    call: async (fn, arg) => {
      const job = await queue.add(fn, arg)
      const r = await job.waitUntilFinished(events)
      return fn === "blob" ? Buffer.from(r, "base64") : r
    },
    lacks: { record: "JSON cannot carry bytes", payload: "JSON cannot carry bytes" },
    noStream: "no streams (job progress events)",
    pids: () => kids.map((k) => k.pid),
    close: async () => {
      await Promise.all(kids.map((k) => stopChild(k.proc)))
      await events.close()
      await queue.close()
      await stopChild(redis)
    }
  })
}
