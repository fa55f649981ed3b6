// Takes one sample: starts a caller process for one peer and one case, takes readings on request, and ends leftover processes.
import cp from "node:child_process"
import path from "node:path"
import { home } from "./catalog.mjs"
import { busy, cores, memOf, pssOf, resetPeak, sleep, statOf, treeOf } from "./proc.mjs"

let serial = 0

/** The command of a caller. cpus: keeps all processes of the sample on these cores, because p50 at c=1 differs by one core or two. */
const commandOf = (peer, kase, options, { bins, cpus }) => {
  const argv = [peer.file, peer.variant, kase, JSON.stringify(options)]
  const node = [bins.node, "--expose-gc", "--no-warnings", path.join(home, "caller/host.mjs"), ...argv]
  const command = peer.runtime === "python" ? [bins.python, ...argv] : node
  return cpus ? ["taskset", "-c", cpus, ...command] : command
}

const spawnCaller = (peer, kase, options, run, tag) => {
  const [command, ...argv] = commandOf(peer, kase, options, run)
  const env = { ...process.env, BENCH_SAMPLE: tag, NODE_NO_WARNINGS: "1", RAY_DEDUP_LOGS: "0" }
  delete env.NODE_CHANNEL_FD
  return cp.spawn(command, argv, { cwd: home, stdio: ["pipe", "ignore", "pipe", "pipe"], detached: true, env })
}

const reading = (tag, root, since) => ({
  at: performance.now(),
  ...busy(),
  tree: new Map(treeOf(tag, root, since).map((s) => [s.pid, s]))
})

const peaksOf = (before) =>
  Object.fromEntries(Object.entries(before).map(([pid, rss]) => [pid, { before: rss, peak: memOf(pid).hwm }]))

/** The cost of a section: wall time, CPU of all processes of the sample, of the caller alone, and of all other processes. */
const difference = (a, b, root, n) => {
  const wall = (b.at - a.at) * 1000
  const used = (s) => s.cpu - (a.tree.get(s.pid)?.cpu ?? 0)
  const cpu = [...b.tree.values()].reduce((sum, s) => sum + used(s), 0)
  const caller = b.tree.has(root) ? used(b.tree.get(root)) : 0
  return {
    n,
    wall_ms: wall / 1000,
    cpu_ms: cpu / 1000,
    caller_cpu_ms: caller / 1000,
    ...(n ? { cpu_us_per_call: cpu / n, caller_cpu_us_per_call: caller / n } : {}),
    foreign: Math.max(0, (b.busy - a.busy - cpu) / wall / cores),
    steal: (b.steal - a.steal) / wall / cores,
    processes: b.tree.size
  }
}

/** Kills the processes of the sample by pid, unless the pid belongs to another process by now. */
const end = async (proc, tag, since) => {
  const tree = treeOf(tag, proc.pid, since)
  proc.stdin.end("exit\n")
  for (let i = 0; i < 20 && proc.exitCode === null && proc.signalCode === null; i++) await sleep(50)
  for (const s of [...tree, ...treeOf(tag, proc.pid, since)]) {
    const live = statOf(s.pid)
    if (!live || live.start !== s.start || live.state === "Z") continue
    try {
      process.kill(s.pid, "SIGKILL")
    } catch {
      // The process has ended since it was listed.
    }
  }
}

/** Takes the readings that the caller requests, until the caller has a result, fails, or times out. */
const gather = (proc, tag, since, { sample, limitMs }) => {
  const { promise, resolve } = Promise.withResolvers()
  const open = {}
  let done = false
  let stderr = ""
  const finish = (error) => {
    if (done) return
    done = true
    clearTimeout(timer)
    if (error) Object.assign(sample, { error, ...(stderr ? { stderr: stderr.slice(-1500) } : {}) })
    resolve()
  }
  const timer = setTimeout(() => finish(`no result within ${limitMs / 1000} s`), limitMs)

  const onBegin = ({ name, pids, peaks }) => {
    const watched = [proc.pid, ...pids.filter((pid) => pid !== proc.pid)]
    if (peaks) watched.forEach(resetPeak)
    const before = Object.fromEntries(watched.map((pid) => [pid, memOf(pid).rss]))
    open[name] = { ...reading(tag, proc.pid, since), before, peaks }
  }
  const onEnd = ({ name, pids, n }) => {
    const a = open[name]
    const b = reading(tag, proc.pid, since)
    const others = [...b.tree.keys()].filter((pid) => pid !== proc.pid)
    const workers = pids.filter((pid) => pid !== proc.pid).map((pid) => memOf(pid).rss)
    const { [proc.pid]: caller, ...rest } = a.peaks ? peaksOf(a.before) : {}
    sample.sections[name] = {
      ...difference(a, b, proc.pid, n),
      caller_rss_mib: memOf(proc.pid).rss,
      ...(workers.length ? { worker_rss_mib: Math.max(...workers) } : {}),
      ...(caller ? { caller, ...(Object.keys(rest).length ? { worker: Object.values(rest)[0] } : {}) } : {}),
      ...(name === "idle" ? { others_pss_mib: others.reduce((sum, pid) => sum + pssOf(pid), 0) } : {})
    }
  }
  const onMessage = (message) => {
    if (message.t === "begin") onBegin(message)
    else if (message.t === "end") onEnd(message)
    else if (message.t === "error") return finish(message.text)
    else {
      sample.data = message.data
      return finish()
    }
    proc.stdin.write("go\n")
  }

  let text = ""
  proc.stdio[3].on("data", (chunk) => {
    text += chunk
    for (let i; (i = text.indexOf("\n")) >= 0;) {
      const line = text.slice(0, i)
      text = text.slice(i + 1)
      onMessage(JSON.parse(line))
    }
  })
  proc.stderr.on("data", (chunk) => {
    if (stderr.length < 4000) stderr += chunk
  })
  proc.stdin.on("error", () => {})
  proc.once("exit", (code, signal) => finish(`caller exited ${code ?? signal}: ${stderr.slice(-600)}`))
  proc.once("error", (error) => finish(String(error)))
  return promise
}

export const takeSample = async (peer, kase, options, run) => {
  const tag = `${process.pid}.${++serial}`
  const proc = spawnCaller(peer, kase, options, run, tag)
  const since = Number(statOf(proc.pid)?.start ?? 0)
  const sample = { peer: peer.id, case: kase, sections: {} }
  await gather(proc, tag, since, { sample, limitMs: run.limitMs[kase] ?? 60_000 })
  await end(proc, tag, since)
  return sample
}
