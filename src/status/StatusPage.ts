/** The live page: one HTML document, without framework, font or other request than its events. */
import * as Crypto from "node:crypto"

const script = String.raw``
const style = String.raw``

export const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>flame</title><style>${style}</style><script>${script}</script></html>`

const hash = Crypto.createHash("sha256").update(script).digest("base64")

/** Allows the page's own script and its events, and nothing else. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "style-src 'unsafe-inline'",
  `script-src 'sha256-${hash}'`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")
