/**
 * The port at which a runner waits for its parent: on the loopback addresses of its pod only, which a port-forward reaches.
 *
 * Without Effect, because the bootstrap of a runner whose code is sent uses this module too.
 */
import type { TLSSocket } from "node:tls"
import { builtin } from "../../function/Builtin.ts"
import { PskServer } from "./PskServer.ts"
import { defaults } from "./Strangers.ts"

/** The runner that waits. */
export interface WaitingRunner {
  readonly identity: string
  readonly key: Buffer
  readonly port: number
  /** Milliseconds to wait for the parent. */
  readonly patience: number
}

/** Receives the end of the wait: one of the two, once. */
export interface ParentEvents {
  readonly admitted: (socket: TLSSocket) => void
  /** `after` is the time waited in milliseconds: 0 if the port could not be opened. */
  readonly failed: (hint: string, after: number) => void
}

/** The longest delay of `setTimeout`, which fires at once if it is longer: 24.8 days. */
const longestDelay = 2 ** 31 - 1

/** Admits one connection that proves to have the runner's key, and closes the port. Returns a function that closes it before. */
export const admitParent = (
  { identity, key, patience, port }: WaitingRunner,
  { admitted, failed }: ParentEvents
): (() => void) => {
  let isOpen = true
  let wrong = 0
  const door = new PskServer(defaults, {
    find: (claimed) => (claimed === identity && isOpen ? key : undefined),
    secure: (socket) => {
      // Two connections at once: the first has used the key.
      if (!isOpen) return void socket.destroy()
      close()
      admitted(socket)
    },
    refused: () => wrong++,
    dismissed: () => {}
  })
  const servers = ["127.0.0.1", "::1"].map((host) =>
    builtin("node:net")
      .createServer({ noDelay: true }, (socket) => door.accept(socket))
      .listen({ host, port })
  )
  let timer: NodeJS.Timeout | undefined
  const close = () => {
    isOpen = false
    clearTimeout(timer)
    door.dismissStrangers()
    for (const server of servers) server.close()
  }
  const fail = (hint: string, after: number) => {
    if (!isOpen) return
    close()
    failed(hint, after)
  }
  const wait = (left: number) => {
    timer = setTimeout(
      () => {
        if (left > longestDelay) return wait(left - longestDelay)
        const others = wrong === 0 ? "" : `, but ${wrong} that did not have its key`
        fail(`its parent did not connect to its port ${port}${others}`, patience)
      },
      Math.min(left, longestDelay)
    )
  }
  wait(patience)
  // A pod without IPv6 has no ::1.
  let errors = 0
  for (const server of servers) {
    server.on("error", (error) => {
      if (++errors === servers.length) fail(`it cannot listen on its port ${port}: ${error.message}`, 0)
    })
  }
  return close
}
