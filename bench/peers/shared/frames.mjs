// The frames of the raw peers: u32 length of what follows | u32 id | u8 op | body
export const OP = { echo: 0, blob: 1, items: 2, spin: 3, hang: 4, prepare: 5 }
const HEAD = 9
const SLAB = 1 << 16
const BY_REFERENCE = 8192

export const reader = (socket, onFrame) => {
  let chunks = []
  let have = 0
  let need = HEAD
  socket.on("data", (chunk) => {
    chunks.push(chunk)
    have += chunk.length
    if (have < need) return
    let buf = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, have)
    let off = 0
    need = HEAD
    while (buf.length - off >= HEAD) {
      const length = buf.readUInt32BE(off)
      if (buf.length - off - 4 < length) {
        need = length + 4
        break
      }
      onFrame(buf.readUInt32BE(off + 4), buf[off + 8], buf, off + HEAD, off + 4 + length)
      off += 4 + length
    }
    buf = buf.subarray(off)
    chunks = buf.length ? [buf] : []
    have = buf.length
  })
}

/** A writer of messages: one write per message, or with `batch` one write for all messages of a turn of the event loop. */
export const writer = (socket, batch) => {
  let slab = Buffer.allocUnsafeSlow(SLAB)
  let pos = 0
  let start = 0
  let scheduled = false
  const flush = () => {
    scheduled = false
    if (pos > start) socket.write(slab.subarray(start, pos))
    start = pos
  }
  const head = (into, at, id, op, size) => {
    into.writeUInt32BE(size - 4, at)
    into.writeUInt32BE(id, at + 4)
    into[at + 8] = op
  }
  const alone = (id, op, body, total) => {
    if (pos > start) flush()
    const frame = Buffer.allocUnsafe(total > BY_REFERENCE ? HEAD : total)
    head(frame, 0, id, op, total)
    if (total <= BY_REFERENCE) {
      frame.set(body, HEAD)
      return socket.write(frame)
    }
    socket.cork()
    socket.write(frame)
    const ok = socket.write(body)
    socket.uncork()
    return ok
  }
  return (id, op, body) => {
    const total = HEAD + body.length
    if (!batch || total > BY_REFERENCE) return alone(id, op, body, total)
    if (slab.length - pos < total) {
      flush()
      slab = Buffer.allocUnsafeSlow(SLAB)
      pos = start = 0
    }
    head(slab, pos, id, op, total)
    slab.set(body, pos + HEAD)
    pos += total
    if (!scheduled) {
      scheduled = true
      process.nextTick(flush)
    }
    return socket.writableLength < 1 << 20
  }
}
