// The far side of child-process IPC: runs the functions of work.mjs by message.
import { blob, functions } from "../../work/work.mjs"
/** A few chunks are in flight at any time. */
const chunks = (id, { n, size }, answer) => {
  let sent = 0
  let taken = 0
  const next = () => {
    if (sent < n && ++sent) process.send({ id, chunk: blob(size) }, () => (++taken === n ? answer(n) : next()))
  }
  for (let i = 0; i < 8; i++) next()
}

process.on("message", ({ id, fn, arg }) => {
  const answer = (r) => process.send({ id, r })
  if (fn === "chunks") return chunks(id, arg, answer)
  const r = functions[fn](arg)
  if (r instanceof Promise) void r.then(answer)
  else answer(r)
})
process.on("disconnect", () => process.exit(0))
process.send("ready")
