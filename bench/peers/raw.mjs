// The lower bound of a transport: framed messages between two Node processes over node:net. No schema, no errors, no interruption.
// tcp: one write per message. tcp-batch / uds-batch: all messages of one turn in one write. tcp-batch-json: + JSON both ends.
import net from "node:net"
import { promisePeer } from "../caller/promise-loops.mjs"
import { socketPath, startChild, stopChild } from "../work/children.mjs"
import { TEXT } from "../work/work.mjs"
import { OP, reader, writer } from "./shared/frames.mjs"

const connected = (address) =>
  new Promise((resolve, reject) => {
    const socket = net.connect(address)
    socket.setNoDelay(true)
    socket.once("error", reject)
    socket.once("connect", () => {
      socket.off("error", reject)
      resolve(socket)
    })
  })

const client = (socket, batch, json) => {
  const pending = new Map()
  const streams = new Map()
  let next = 0
  const id = () => (next = (next + 1) >>> 0)
  const parse = (buf, from, to) => JSON.parse(buf.latin1Slice(from, to))
  const answerOf = (op, buf, from, to) => {
    if (op === OP.blob) return buf.subarray(from, to)
    if (op !== OP.echo || json) return parse(buf, from, to)
    return { id: buf.readUInt32BE(from), text: TEXT }
  }
  reader(socket, (id, op, buf, from, to) => {
    if (op === OP.items) return streams.get(id)(json ? parse(buf, from, to) : undefined)
    const waiting = pending.get(id)
    pending.delete(id)
    waiting.resolve(answerOf(op, buf, from, to))
  })
  const lost = () => {
    for (const waiting of pending.values()) waiting.reject(new Error("connection closed"))
    pending.clear()
  }
  socket.on("close", lost)
  socket.on("error", lost)
  const send = writer(socket, batch)
  const body = Buffer.alloc(64, 120)
  const text = (value) => Buffer.from(JSON.stringify(value), "latin1")
  const echoBody = (arg) => {
    if (json) return text(arg)
    body.writeUInt32BE(arg.id, 0)
    return batch ? body : Buffer.from(body)
  }
  const call = (fn, arg) =>
    new Promise((resolve, reject) => {
      const i = id()
      pending.set(i, { resolve, reject })
      send(i, OP[fn], fn === "echo" ? echoBody(arg) : text(arg))
    })
  const stream = (n, capMs) =>
    new Promise((resolve) => {
      const i = id()
      const t = performance.now()
      let got = 0
      streams.set(i, () => {
        if (++got < n && (got % 4096 || performance.now() - t < capMs)) return
        resolve({ n: got, ms: performance.now() - t })
        if (got < n) socket.destroy()
      })
      send(i, OP.items, text({ n }))
    })
  return { call, stream }
}

export const start = async ({ workers, variant }) => {
  const batch = variant.includes("batch")
  const json = variant.includes("json")
  const one = async (_, i) => {
    const where = variant.startsWith("uds") ? { path: socketPath("raw", i) } : { port: 0, host: "127.0.0.1" }
    const kid = await startChild("raw-server.mjs", [JSON.stringify({ where, batch, json })])
    return { ...kid, ...client(await connected(kid.ready), batch, json) }
  }
  const kids = await Promise.all(Array.from({ length: workers }, one))
  return promisePeer({
    call: kids[0].call,
    ...(workers > 1 ? { lanes: kids.map((k) => k.call) } : {}),
    lacks: { record: "bytes only", payload: "bytes one way only" },
    stream: kids[0].stream,
    pids: () => kids.map((k) => k.pid),
    close: () => Promise.all(kids.map((k) => stopChild(k.proc)))
  })
}
