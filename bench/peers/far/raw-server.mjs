// The far side of the raw peers: frames over a socket.
import fs from "node:fs"
import net from "node:net"
import { blob, item, prepare, timedSpin } from "../../work/work.mjs"
import { OP, reader, writer } from "../shared/frames.mjs"

const { where, batch, json } = JSON.parse(process.argv[2])
const text = (value) => Buffer.from(JSON.stringify(value), "latin1")

const echo = (body) => {
  if (!json) return body
  const { id, text: t } = JSON.parse(body.latin1Slice())
  return text({ id, text: t })
}

const stream = (socket, send, id, n) => {
  const body = Buffer.alloc(64, 120)
  let i = 0
  const one = () => {
    if (json) return send(id, OP.items, text(item(i)))
    body.writeUInt32BE(i, 0)
    return send(id, OP.items, batch ? body : Buffer.from(body))
  }
  const pump = () => {
    let ok = true
    for (let k = 0; i < n && ok && k < 2048; k++, i++) ok = one()
    if (i >= n || socket.destroyed) return
    if (ok) setImmediate(pump)
    else socket.once("drain", pump)
  }
  pump()
}

const serve = (socket) => {
  socket.setNoDelay(true)
  socket.on("error", () => {})
  const send = writer(socket, batch)
  reader(socket, (id, op, buf, from, to) => {
    if (op === OP.echo) return send(id, op, echo(buf.subarray(from, to)))
    const arg = JSON.parse(buf.latin1Slice(from, to))
    if (op === OP.blob) send(id, op, blob(arg.size))
    else if (op === OP.spin) send(id, op, text(timedSpin(arg.iters)))
    else if (op === OP.prepare) send(id, op, text(prepare(arg.size)))
    else if (op === OP.items) stream(socket, send, id, arg.n)
  })
}

const server = net.createServer(serve)
if (where.path) fs.rmSync(where.path, { force: true })
server.listen(where, () => process.send(where.path ? where : { port: server.address().port, host: "127.0.0.1" }))
process.on("disconnect", () => process.exit(0))
