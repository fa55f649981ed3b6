// The far side of the wire prototype.
import fs from "node:fs"
import net from "node:net"
import { handlers } from "../shared/effect-api.mjs"
import { fns } from "../shared/wire-api.mjs"
import { server } from "../shared/wire/wire2.ts"

const where = JSON.parse(process.argv[2])
const served = Object.entries(fns()).map(([name, fn]) =>
  name === "items" ? { fn, stream: handlers.items } : { fn, handler: handlers[name] }
)
const listener = net.createServer((socket) => {
  socket.setNoDelay(true)
  socket.on("error", () => {})
  server(socket, served, process.nextTick)
})
if (where.path) fs.rmSync(where.path, { force: true })
listener.listen(where, () => process.send(where.path ? where : { port: listener.address().port, host: "127.0.0.1" }))
process.on("disconnect", () => process.exit(0))
