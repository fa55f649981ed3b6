// Readings of /proc about processes and the machine. Linux only.
import fs from "node:fs"
import os from "node:os"

const TICK_US = 10_000 // USER_HZ is 100 on x64 and arm64
export const cores = os.cpus().length
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const read = (file) => {
  try {
    return fs.readFileSync(file)
  } catch {
    return undefined
  }
}

export const statOf = (pid) => {
  const text = read(`/proc/${pid}/stat`)?.toString("latin1")
  if (!text) return undefined
  const a = text.slice(text.lastIndexOf(")") + 2).split(" ")
  const cpu = (Number(a[11]) + Number(a[12])) * TICK_US
  return { pid, state: a[0], ppid: Number(a[1]), pgrp: Number(a[2]), session: Number(a[3]), cpu, start: a[19] }
}

const kb = (text, key) => {
  const m = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(text)
  return m ? Number(m[1]) / 1024 : 0
}

/** Resident memory in MiB: now, and its peak so far. */
export const memOf = (pid) => {
  const text = read(`/proc/${pid}/status`)?.toString() ?? ""
  return { rss: kb(text, "VmRSS"), hwm: kb(text, "VmHWM") }
}

/** Resets the peak memory of a process to its current resident size. */
export const resetPeak = (pid) => {
  try {
    fs.writeFileSync(`/proc/${pid}/clear_refs`, "5")
  } catch {
    // The process has ended, or belongs to another user. Its peak then reads too high, never too low.
  }
}

export const pssOf = (pid) => kb(read(`/proc/${pid}/smaps_rollup`)?.toString() ?? "", "Pss")

/**
 * All live processes of a sample: those in the caller's session, their descendants, and orphans younger than the sample that
 * have the sample's tag in their environment, because daemons leave both session and descent.
 */
export const treeOf = (tag, root, since) => {
  const pids = fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name))
  const live = pids.map((pid) => statOf(Number(pid))).filter((s) => s && s.state !== "Z")
  const needle = Buffer.from(`BENCH_SAMPLE=${tag}\0`)
  const tagged = (s) => s.ppid <= 1 && Number(s.start) >= since && read(`/proc/${s.pid}/environ`)?.includes(needle)
  const mine = new Set([root])
  for (const s of live) if (s.session === root || s.pgrp === root || tagged(s)) mine.add(s.pid)
  for (let before = 0; before !== mine.size;) {
    before = mine.size
    for (const s of live) if (mine.has(s.ppid)) mine.add(s.pid)
  }
  return live.filter((s) => mine.has(s.pid))
}

/** Microseconds of CPU since the machine started: used by all processes, and stolen by the host. */
export const busy = () => {
  const a = read("/proc/stat").toString().split("\n")[0].trim().split(/\s+/).slice(1).map(Number)
  const all = a.slice(0, 8).reduce((x, y) => x + y, 0)
  return { busy: (all - a[3] - a[4]) * TICK_US, steal: a[7] * TICK_US }
}

/** Waits until all cores together have been less than 5 % busy for 300 ms, at most `ms`. */
export const quiet = async (ms) => {
  for (const end = performance.now() + ms; performance.now() < end;) {
    const before = busy().busy
    await sleep(300)
    if (busy().busy - before <= 0.05 * cores * 300_000) return true
  }
  return false
}
