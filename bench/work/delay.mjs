// Lines with a delay, in order, at any rate: as far away as another continent, and as wide.
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

/** A port that leads to another one, each way as late as that. */
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

/** A Transport of effect-flame, each way as late as that. */
export const delayedTransport = (transport, ms) => {
  const sending = later(ms)
  const coming = later(ms)
  return {
    ...transport,
    start: ({ closed, data, drained }) =>
      transport.start({
        data: (bytes) => {
          // a view of memory that is read into again
          const copy = Buffer.from(bytes)
          coming(() => data(copy))
        },
        drained,
        closed: (error) => coming(() => closed(error))
      }),
    write: (chunks) => {
      // what the sender does to its bytes later must not be sent
      const copies = chunks.map((bytes) => Buffer.from(bytes))
      sending(() => transport.write(copies))
      return true
    },
    end: () => sending(() => transport.end())
  }
}
