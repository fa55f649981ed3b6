// Starts and stops the inspector's CPU profiler in this process.
import inspector from "node:inspector/promises"

const INTERVAL_US = 100
let session

export const startProfile = async () => {
  session = new inspector.Session()
  session.connect()
  await session.post("Profiler.enable")
  await session.post("Profiler.setSamplingInterval", { interval: INTERVAL_US })
  await session.post("Profiler.start")
}

/** Self time in microseconds of every frame of a profile: `{ name, url, line, us }`, largest first. */
export const selfTimes = ({ nodes, samples, timeDeltas }) => {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const frames = new Map()
  samples.forEach((id, i) => {
    const { functionName, url, lineNumber } = byId.get(id).callFrame
    if (url.startsWith("node:inspector")) return // starting and stopping the profile
    const key = `${functionName}\n${url}\n${lineNumber}`
    const known = frames.get(key)
    // A sample counts for the time until the next sample.
    const us = Math.max(0, timeDeltas[i + 1] ?? 0)
    if (known) known.us += us
    else frames.set(key, { name: functionName || "(anonymous)", url, line: lineNumber + 1, us })
  })
  return [...frames.values()].sort((a, b) => b.us - a.us)
}

export const stopProfile = async () => {
  const { profile } = await session.post("Profiler.stop")
  session.disconnect()
  return selfTimes(profile)
}
