// Lines that delay bytes but keep their order and do not limit their rate, like a fast connection to another continent.
import net from "node:net"

/** Runs callbacks after a delay in milliseconds, in order. */
const later = (ms) => {
  const queue = []
  let timer
  const turn = () => {
    timer = undefined
    const now = performance.now()
    while (queue.length > 0 && queue[0].at <= now) queue.shift().run()
    if (queue.length > 0) timer = setTimeout(turn, Math.max(0, queue[0].at - performance.now()))
  }
  return (run) => {
    queue.push({ at: performance.now() + ms, run })
    timer ??= setTimeout(turn, ms)
  }
}

/** Opens a port that forwards to another port, delayed by `ms` each way. */
export const delayed = ({ host, port }, ms) =>
  new Promise((resolve) => {
    const server = net.createServer({ noDelay: true }, (near) => {
      const far = net.connect({ host, port, noDelay: true })
      for (const [from, to] of [
        [near, far],
        [far, near]
      ]) {
        const send = later(ms)
        from.on("data", (bytes) => send(() => to.write(bytes)))
        from.on("close", () => send(() => to.destroy()))
        from.on("error", () => {})
      }
    })
    server.unref()
    server.listen(0, "127.0.0.1", () => resolve({ host: "127.0.0.1", port: server.address().port }))
  })

/** Wraps a Transport of effect-flame, delayed by `ms` each way. */
export const delayedTransport = (transport, ms) => {
  const sending = later(ms)
  const coming = later(ms)
  return {
    ...transport,
    start: ({ closed, data, drained }) =>
      transport.start({
        data: (bytes) => {
          // The transport reuses this memory for its next read.
          const copy = Buffer.from(bytes)
          coming(() => data(copy))
        },
        drained,
        closed: (error) => coming(() => closed(error))
      }),
    write: (chunks) => {
      // The sender may change its bytes before they are sent.
      const copies = chunks.map((bytes) => Buffer.from(bytes))
      sending(() => transport.write(copies))
      return true
    },
    end: () => sending(() => transport.end())
  }
}
