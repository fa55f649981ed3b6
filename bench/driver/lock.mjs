// Runs `f` under `flock FILE`, so that measurements of several checkouts on one machine take turns.
import cp from "node:child_process"

export const withLock = async (file, f) => {
  if (!file) return f()
  const holder = cp.spawn("flock", [file, "sh", "-c", "echo held; cat"], { stdio: ["pipe", "pipe", "inherit"] })
  const stop = () => {
    holder.kill() // otherwise flock would go on waiting
    process.exit(1)
  }
  process.once("SIGTERM", stop).once("SIGINT", stop)
  await new Promise((resolve, reject) => {
    holder.stdout.once("data", resolve)
    holder.once("exit", (code) => reject(new Error(`flock exited ${code}`)))
  })
  try {
    return await f()
  } finally {
    process.off("SIGTERM", stop).off("SIGINT", stop)
    const gone = new Promise((resolve) => holder.once("exit", resolve))
    holder.stdin.end()
    await gone
  }
}
