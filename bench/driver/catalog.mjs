// Lists the peers, their requirements, and the cases that each takes part in.
import fs from "node:fs"
import path from "node:path"
import { fileURLToPath } from "node:url"

export const home = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..")

/** The path of another checkout of the project, whose build takes part as the peer `before`: `BENCH_AGAINST=../base`. */
export const against = process.env.BENCH_AGAINST && path.resolve(process.env.BENCH_AGAINST, "bench")

/**
 * file (files: of some variants) is relative to bench; needs: packages of bench/package.json, commands on PATH; only: the cases that a variant can run
 * at all.
 */
const PEERS = {
  floor: {
    file: "peers/floor.mjs",
    variants: ["socketpair", "fork"],
    needs: {},
    only: { socketpair: ["unary64", "burst"], fork: ["boot"] }
  },
  raw: { file: "peers/raw.mjs", variants: ["tcp", "tcp-batch", "uds-batch", "tcp-batch-json"], needs: {} },
  ipc: { file: "peers/ipc.mjs", variants: ["advanced", "json", "app"], needs: {} },
  messageport: { file: "peers/messageport.mjs", variants: ["clone", "transfer"], needs: {} },
  piscina: { file: "peers/piscina.mjs", variants: ["threads"], needs: { packages: ["piscina"] } },
  tinypool: {
    file: "peers/tinypool.mjs",
    variants: ["child_process", "worker_threads"],
    needs: { packages: ["tinypool"] }
  },
  workerpool: { file: "peers/workerpool.mjs", variants: ["process", "thread"], needs: { packages: ["workerpool"] } },
  "effect-rpc": { file: "peers/effect-rpc.mjs", variants: ["tcp", "tuned", "worker", "worker-transfer"], needs: {} },
  "effect-cluster": { file: "peers/effect-cluster.mjs", variants: ["socket"], needs: {} },
  "grpc-js": {
    file: "peers/grpc-js.mjs",
    variants: ["tcp"],
    needs: { packages: ["@grpc/grpc-js", "@grpc/proto-loader"] }
  },
  bullmq: {
    file: "peers/bullmq.mjs",
    variants: ["redis"],
    needs: { packages: ["bullmq"], commands: ["redis-server"] }
  },
  ray: { file: "peers/ray-driver.py", runtime: "python", variants: ["actor", "task"], needs: {} },
  "wire-prototype": { file: "peers/wire-prototype.mjs", variants: ["tcp", "uds"], needs: {} },
  flame: {
    file: "adapter-built.mjs",
    files: { source: "adapter.mjs", barrel: "adapter.mjs", "barrel-node": "adapter.mjs" },
    variants: ["bundle", "cached", "snapshot", "source", "barrel", "barrel-node", "traced"],
    needs: { packages: ["rolldown"] }
  },
  ...(against && {
    before: {
      file: path.join(against, "adapter-built.mjs"),
      variants: ["bundle", "cached", "traced"],
      needs: { packages: ["rolldown"] }
    }
  })
}

const EVERY =
  "flame:bundle raw:tcp-batch ipc:advanced messageport:clone piscina tinypool:child_process workerpool:process " +
  "effect-rpc:tcp effect-rpc:worker effect-cluster grpc-js bullmq wire-prototype:tcp ray:actor"
const BYTES = "flame:bundle ipc:advanced messageport:clone piscina effect-rpc:tcp wire-prototype:tcp"
const without = (list, ...names) =>
  list
    .split(" ")
    .filter((id) => !names.includes(id))
    .join(" ")

/** Named sets of peers. `--peers suite`: all that can run a case. `--peers gate`: those that the targets compare. */
const SETS = {
  suite: {
    unary64: `${EVERY} flame:source flame:traced floor:socketpair raw:tcp raw:uds-batch raw:tcp-batch-json effect-rpc:tuned wire-prototype:uds ray:task`,
    burst: `${EVERY} raw:tcp raw:tcp-batch-json effect-rpc:tuned ray:task`,
    result64MiB: `${EVERY} messageport:transfer effect-rpc:tuned effect-rpc:worker-transfer wire-prototype:uds`,
    record64MiB: BYTES,
    payload64MiB: BYTES,
    beside: `${BYTES} raw:tcp-batch grpc-js`,
    waiting: "flame:bundle",
    nested: "flame:bundle",
    placed: "flame:bundle",
    cpu: `${EVERY} ray:task`,
    boot: `${EVERY} floor:fork flame:cached flame:snapshot flame:source flame:barrel flame:barrel-node ray:task`,
    fault: without(`${EVERY} ray:task`, "raw:tcp-batch"),
    queue: without(EVERY, "raw:tcp-batch", "messageport:clone"),
    chunks: "flame:bundle ipc:advanced ipc:app effect-rpc:tcp effect-rpc:tuned",
    far: "flame:bundle effect-rpc:tcp",
    stream:
      "flame:bundle flame:source raw:tcp-batch raw:tcp raw:tcp-batch-json effect-rpc:tcp effect-rpc:tuned effect-rpc:worker effect-cluster grpc-js wire-prototype:tcp ray:actor"
  },
  gate: {
    unary64:
      "flame:bundle flame:source flame:traced floor:socketpair piscina effect-rpc:tcp wire-prototype:tcp raw:tcp-batch-json",
    burst: "flame:bundle ipc:advanced piscina wire-prototype:tcp",
    result64MiB: "flame:bundle ipc:advanced raw:tcp-batch",
    record64MiB: "flame:bundle ipc:advanced",
    payload64MiB: "flame:bundle ipc:advanced",
    beside: "flame:bundle ipc:advanced",
    waiting: "flame:bundle",
    nested: "flame:bundle",
    placed: "flame:bundle",
    cpu: "flame:bundle ipc:advanced piscina",
    boot: "flame:bundle flame:cached flame:snapshot flame:source flame:barrel flame:barrel-node floor:fork",
    fault: "flame:bundle",
    queue: "flame:bundle",
    stream: "flame:bundle effect-rpc:tcp grpc-js",
    chunks: "flame:bundle ipc:advanced ipc:app",
    far: "flame:bundle effect-rpc:tcp"
  }
}

export const CASES = Object.keys(SETS.suite)
export const DEFAULT_CASES = CASES

const resolve = (asked) => {
  const [name, variant = PEERS[name]?.variants[0]] = asked.split(":")
  const peer = PEERS[name]
  if (!peer) throw new Error(`unknown peer ${name}; --list shows them`)
  if (!peer.variants.includes(variant))
    throw new Error(`${name} has no variant ${variant}: ${peer.variants.join(", ")}`)
  const id = peer.variants.length > 1 ? `${name}:${variant}` : name
  return { id, name, runtime: "node", ...peer, variant, file: path.resolve(home, peer.files?.[variant] ?? peer.file) }
}

const isSet = (name) => name in SETS

/** The requested peers, with the variants that take part in one case. */
export const peersOf = (asked, kase) => {
  const ids = asked.flatMap((name) => (isSet(name) ? (SETS[name][kase] ?? "").split(" ").filter(Boolean) : [name]))
  const known = new Map(ids.map(resolve).map((peer) => [peer.id, peer]))
  return [...known.values()]
}

export const listPeers = () => Object.entries(PEERS).map(([name, { variants }]) => `${name}: ${variants.join(", ")}`)

const onPath = (command) =>
  (process.env.PATH ?? "").split(path.delimiter).some((dir) => fs.existsSync(path.join(dir, command)))

/** Why a peer cannot run a case on this machine, as one line that says what to do. Undefined if the peer can run. */
export const obstacle = ({ needs, only, variant }, kase) => {
  if (only && !only[variant].includes(kase)) return "not a case for it"
  const packages = (needs.packages ?? []).filter((name) => !fs.existsSync(path.join(home, "node_modules", name)))
  if (packages.length) return `${packages.join(", ")} not installed: npm install --prefix bench`
  const commands = (needs.commands ?? []).filter((command) => !onPath(command))
  if (commands.length) return `${commands.join(", ")} not on PATH`
}
