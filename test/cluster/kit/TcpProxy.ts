/** A TCP proxy whose connections a test can cut, freeze or slow down. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface TcpProxyOptions {
  readonly to: { readonly host?: string; readonly port: number }
  /** The address to listen on. Default 127.0.0.1. Use 0.0.0.0 for pods. */
  readonly host?: string
}

/** The fate of new connections. Existing connections are not affected. */
export type Welcome = "pass" | "refuse" | "reset" | "hang"

/** Bytes that are buffered for a peer that does not read, or a frozen connection. */
const held = 4 * 1024 * 1024

class Line {
  isStalled = false
  readonly client: Socket
  readonly server: Socket
  private readonly proxy: TcpProxy

  constructor(proxy: TcpProxy, client: Socket, server: Socket) {
    this.proxy = proxy
    this.client = client
    this.server = server
    this.carry(client, server)
    this.carry(server, client)
  }

  reset(): void {
    this.client.resetAndDestroy()
    this.server.resetAndDestroy()
  }

  private carry(from: Socket, to: Socket): void {
    let last = Promise.resolve()
    let waiting = 0
    const inTurn = (pass: () => void | Promise<void>) => {
      const [before, due] = [last, Date.now() + this.proxy.latency]
      const turn = async () => {
        await before
        await this.proxy.passage(due)
        // For good: all waiting work is garbage collected with the connection.
        if (this.isStalled) await new Promise<never>(() => {})
        await pass()
      }
      last = turn()
    }
    from.on("data", (chunk: Buffer) => {
      waiting += chunk.length
      if (waiting > held) from.pause()
      inTurn(async () => {
        this.proxy.bytes += chunk.length
        if (!to.destroyed && !to.write(chunk)) await drained(to)
        waiting -= chunk.length
        if (waiting <= held) from.resume()
      })
    })
    from.on("end", () => inTurn(() => void to.end()))
    // A frozen connection passes nothing on, not even an end.
    from.on("error", () => inTurn(() => void to.resetAndDestroy()))
    from.on("close", () => inTurn(() => void to.destroy()))
  }
}

const drained = (socket: Socket): Promise<void> =>
  new Promise((done) => {
    const end = () => {
      socket.off("drain", end)
      socket.off("close", end)
      done()
    }
    socket.on("drain", end)
    socket.on("close", end)
  })

export class TcpProxy {
  port = 0
  /** The number of connections accepted so far. */
  accepted = 0
  /** The number of bytes forwarded so far, in both directions. */
  bytes = 0
  /** The delay in each direction, in milliseconds. */
  latency = 0
  private welcome: Welcome = "pass"
  private readonly lines = new Set<Line>()
  /** Connections that are not answered. */
  private readonly hanging = new Set<Socket>()
  private thawed: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined
  private server: Server | undefined
  private readonly options: TcpProxyOptions

  constructor(options: TcpProxyOptions) {
    this.options = options
  }

  /** The number of open connections. */
  get open(): number {
    return this.lines.size
  }

  /** Sets the fate of new connections. */
  async meet(welcome: Welcome): Promise<void> {
    this.welcome = welcome
    if (welcome === "refuse") {
      this.server?.close()
      this.server = undefined
    } else await this.listen()
    if (welcome === "pass") this.drop(this.hanging)
  }

  /** Resets all existing connections. */
  reset(): void {
    for (const line of this.lines) line.reset()
    this.drop(this.hanging)
  }

  /**
   * Stops forwarding on existing connections for good, without telling either end. New connections are not affected.
   */
  stall(): void {
    for (const line of this.lines) line.isStalled = true
  }

  /** Stops forwarding on existing and new connections, so both ends see silence. */
  freeze(): void {
    this.thawed ??= Promise.withResolvers<void>()
  }

  /** Forwards the frozen bytes, and everything after them. */
  thaw(): void {
    this.thawed?.resolve()
    this.thawed = undefined
  }

  async passage(due: number): Promise<void> {
    const left = due - Date.now()
    if (left > 0) await new Promise((done) => setTimeout(done, left))
    while (this.thawed !== undefined) await this.thawed.promise
  }

  listen(): Promise<void> {
    if (this.server !== undefined) return Promise.resolve()
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.take(socket))
    this.server = server
    return new Promise((done, fail) => {
      server.once("error", fail)
      server.listen(this.port, this.options.host ?? "127.0.0.1", () => {
        this.port = (server.address() as AddressInfo).port
        done()
      })
    })
  }

  close(): void {
    this.thaw()
    this.server?.close()
    this.reset()
  }

  private take(client: Socket): void {
    this.accepted++
    client.on("error", () => {})
    if (this.welcome === "reset") {
      client.resetAndDestroy()
      return
    }
    if (this.welcome === "hang") {
      this.hanging.add(client)
      client.on("close", () => this.hanging.delete(client))
      return
    }
    const { host = "127.0.0.1", port } = this.options.to
    const server = connect({ host, port, allowHalfOpen: true, noDelay: true })
    server.on("error", () => client.resetAndDestroy())
    const line = new Line(this, client, server)
    this.lines.add(line)
    client.on("close", () => this.lines.delete(line))
  }

  private drop(sockets: Set<Socket>): void {
    for (const socket of sockets) socket.resetAndDestroy()
  }
}

/** A proxy that listens until the scope closes. */
export const make = (options: TcpProxyOptions): Effect.Effect<TcpProxy, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const proxy = new TcpProxy(options)
      await proxy.listen()
      return proxy
    }),
    (proxy) => Effect.sync(() => proxy.close())
  )
