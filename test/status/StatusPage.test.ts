import * as Crypto from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { script } from "../../src/status/PageScript.ts"
import { contentSecurityPolicy, page } from "../../src/status/StatusPage.ts"

describe("the live page", () => {
  it("is one document below 30 KB that loads nothing from other hosts [C309]", () => {
    assert.isBelow(Buffer.byteLength(page), 30_000)
    const addresses = page.replaceAll("http://www.w3.org/2000/svg", "").match(/\b(https?:)?\/\/[\w.-]+\.\w+/g) ?? []
    assert.deepStrictEqual(addresses, [])
    assert.notMatch(page, /@import|<link rel="stylesheet"|<img|<iframe/)
  })

  it("allows its own script and no other, by its policy [C309]", () => {
    const scripts = [...page.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map(([, text]) => text!)
    assert.deepStrictEqual(scripts, [script])
    const hash = Crypto.createHash("sha256").update(script).digest("base64")
    assert.include(contentSecurityPolicy, `script-src 'sha256-${hash}'`)
    assert.include(contentSecurityPolicy, "default-src 'none'")
  })

  it("inserts every text as text: its script parses no HTML and no code [C309]", () => {
    assert.notMatch(script, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|setTimeout\("/)
    assert.notMatch(page.replace(script, ""), /\son\w+=/)
  })
})
