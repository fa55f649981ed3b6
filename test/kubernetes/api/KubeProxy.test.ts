import { assert, describe, it } from "@effect/vitest"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { get } from "node:https"
import { proxyFor, tunnel } from "../../../src/kubernetes/api/KubeProxy.ts"

const proxy = "http://proxy.test:3128"

describe("the proxy for an API server is chosen as kubectl chooses it [C142]", () => {
  it.each([
    ["https://api.test", { HTTPS_PROXY: proxy }, proxy],
    ["https://api.test", { https_proxy: proxy }, proxy],
    ["https://api.test", { HTTPS_PROXY: "proxy.test:3128" }, proxy],
    ["https://api.test", { HTTPS_PROXY: "socks5://proxy.test" }, "socks5://proxy.test"],
    ["https://api.test", { HTTP_PROXY: proxy }, undefined],
    ["http://api.test", { HTTP_PROXY: proxy }, proxy],
    ["https://api.test", {}, undefined],
    ["https://api.test", { HTTPS_PROXY: "" }, undefined],
    ["https://localhost:6443", { HTTPS_PROXY: proxy }, undefined],
    ["https://127.1.2.3:6443", { HTTPS_PROXY: proxy }, undefined],
    ["https://[::1]:6443", { HTTPS_PROXY: proxy }, undefined]
  ] as const)("for %s with %j is %s", (server, env, expected) => {
    assert.strictEqual(proxyFor(server, env), expected)
  })

  it.each([
    ["*", "https://api.test", true],
    ["api.test", "https://api.test", true],
    ["test", "https://api.test", true],
    ["API.TEST", "https://api.test", true],
    [".test", "https://api.test", true],
    ["*.test", "https://api.test", true],
    [".api.test", "https://api.test", false],
    ["pi.test", "https://api.test", false],
    ["api.test:443", "https://api.test", true],
    ["api.test:6443", "https://api.test", false],
    ["a, api.test ,b", "https://api.test", true],
    ["10.0.0.1", "https://10.0.0.1", true],
    ["10.0.0.0/8", "https://10.96.0.1:443", true],
    ["10.0.0.0/16", "https://10.96.0.1:443", false],
    ["fd00::/8", "https://[fd00::1]:443", true],
    ["[fd00::1]:443", "https://[fd00::1]:443", true],
    ["10.0.0.0/99", "https://10.96.0.1", false]
  ] as const)("NO_PROXY of %s excludes %s: %s", (no, server, isExcluded) => {
    assert.strictEqual(proxyFor(server, { HTTPS_PROXY: proxy, NO_PROXY: no }) === undefined, isExcluded)
  })
})

it("a password that is not encoded reaches the proxy as it is [C142]", async () => {
  const said = await new Promise<string | undefined>((resolve) => {
    const proxy = createServer().on("connect", ({ headers }, socket) => {
      resolve(headers["proxy-authorization"])
      socket.destroy()
      proxy.close()
    })
    proxy.listen(0, "127.0.0.1", () => {
      const { port } = proxy.address() as AddressInfo
      const agent = tunnel(`http://user%40x:pa%ss%C3%A9@127.0.0.1:${port}`)
      get("https://10.0.0.1/", { agent }).on("error", () => {})
    })
  })
  assert.strictEqual(said, `Basic ${Buffer.from("user@x:pa%ss\u00e9").toString("base64")}`)
})
