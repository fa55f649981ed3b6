/**
 * The proxy between this process and the API server: the variables `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, read as
 * kubectl reads them.
 */
import * as Http from "node:http"
import * as Https from "node:https"
import { BlockList, isIP } from "node:net"
import type { Duplex } from "node:stream"
import * as Tls from "node:tls"

type Environment = Readonly<Record<string, string | undefined>>

const first = (env: Environment, name: string): string | undefined =>
  [env[name], env[name.toLowerCase()]].find((value) => value !== undefined && value !== "")

/**
 * The proxy for an API server, as a URL; undefined for a direct connection.
 *
 * The rules are those of Go's `net/http`, which kubectl uses: loopback addresses and `localhost` are never behind a proxy, and
 * a proxy without a scheme is `http://`.
 */
export const proxyFor = (server: string, env: Environment = process.env): string | undefined => {
  const url = new URL(server)
  const proxy = first(env, url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY")
  if (proxy === undefined) return undefined
  const host = hostOf(url)
  if (host === "localhost" || isLoopback(host)) return undefined
  const port = url.port || (url.protocol === "https:" ? "443" : "80")
  const excluded = (first(env, "NO_PROXY") ?? "").split(",").some((entry) => excludes(entry.trim(), host, port))
  if (excluded) return undefined
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`
}

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, "").toLowerCase()

const isLoopback = (host: string): boolean => host === "::1" || (isIP(host) === 4 && host.startsWith("127."))

/** Whether an entry of `NO_PROXY` excludes a host: a name and its subdomains, a `.suffix`, an address, a range, or `*`. */
const excludes = (entry: string, host: string, port: string): boolean => {
  if (entry === "") return false
  if (entry === "*") return true
  if (entry.includes("/")) return isInRange(entry, host)
  const [, name = entry, only] = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(entry) ?? []
  if (only !== undefined && only !== port) return false
  const plain = name
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/^\*(?=\.)/, "")
  if (isIP(plain) !== 0) return plain === host
  return plain.startsWith(".") ? host.endsWith(plain) : host === plain || host.endsWith(`.${plain}`)
}

const isInRange = (range: string, host: string): boolean => {
  const [network = "", bits = ""] = range.split("/")
  const family = isIP(host)
  if (family === 0 || isIP(network) !== family || !/^\d+$/.test(bits)) return false
  const type = family === 6 ? "ipv6" : "ipv4"
  const list = new BlockList()
  try {
    list.addSubnet(network, Number(bits), type)
  } catch {
    return false
  }
  return list.check(host, type)
}

/** Whether `tunnel` can speak to that proxy. */
export const isSupported = (proxy: string): boolean => /^https?:/i.test(proxy)

/** A part of a URL as plain text. A `%` that begins no escape stands for itself: passwords are often not encoded. */
const decoded = (text: string): string => text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (all) => unescaped(all))

const unescaped = (escapes: string): string => Buffer.from(escapes.replaceAll("%", ""), "hex").toString()

/** Opens TLS connections through a proxy, by `CONNECT`. */
export const tunnel = (proxy: string): Https.Agent => new Tunnel(new URL(proxy))

class Tunnel extends Https.Agent {
  private readonly proxy: URL

  constructor(proxy: URL) {
    super({ keepAlive: true, keepAliveMsecs: 15_000, maxSockets: 16 })
    this.proxy = proxy
  }

  override createConnection(
    options: Https.RequestOptions & Tls.ConnectionOptions,
    callback?: (error: Error | null, stream: Duplex) => void
  ): undefined {
    const { hostname, host: shown, password, port, protocol, username } = this.proxy
    const target = `${isIP(options.host ?? "") === 6 ? `[${options.host}]` : options.host}:${options.port ?? 443}`
    const done = (error: Error | null, stream?: Duplex): void => callback?.(error, stream as Duplex)
    const failed = (code: string | undefined, detail: string): void =>
      done(Object.assign(new Error(`the proxy ${shown} ${detail}`), code === undefined ? {} : { code }))
    const asked = (protocol === "https:" ? Https : Http).request({
      method: "CONNECT",
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: port || (protocol === "https:" ? 443 : 80),
      path: target,
      agent: false,
      headers: {
        host: target,
        ...(username === ""
          ? {}
          : {
              "proxy-authorization": `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString("base64")}`
            })
      }
    })
    const refuse = (answer: Http.IncomingMessage, socket: Duplex): void => {
      socket.destroy()
      failed("EPROXY", `answered ${answer.statusCode} ${answer.statusMessage ?? ""} to CONNECT ${target}`)
    }
    asked.once("connect", (answer, socket) => {
      if (answer.statusCode !== 200) return refuse(answer, socket)
      done(null, Tls.connect({ ...options, socket }))
    })
    asked.once("response", (answer) => refuse(answer, answer.socket))
    asked.once("error", (error: NodeJS.ErrnoException) => failed(error.code, `failed: ${error.message}`))
    asked.end()
    return undefined
  }
}
