// The far side of BullMQ: a worker that processes jobs.
import { Worker } from "bullmq"
import { functions } from "../../work/work.mjs"
const { port, concurrency } = JSON.parse(process.argv[2])
const run = async ({ name, data }) => {
  if (name === "blob") return Buffer.from(functions.blob(data)).toString("base64")
  return functions[name](data)
}
const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null }
const worker = new Worker("work", run, { connection, concurrency })
worker.on("error", () => {})
await worker.waitUntilReady()
process.send("ready")
process.on("disconnect", () => process.exit(0))
