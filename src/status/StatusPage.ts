/** The live page: one HTML document, without framework, font or other request than its events. */
import * as Crypto from "node:crypto"
import { script } from "./PageScript.ts"
import { style } from "./PageStyle.ts"

export const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>flame</title><link rel="icon" href="data:,"><style>${style}</style></head>
<body><header><h1><b>flame</b> status</h1><span id="where"></span><span id="live" class="off" role="status">connects</span></header>
<main><div id="pools"></div><div id="none" class="empty" hidden>This process has no pool now.</div></main>
<noscript>This page needs JavaScript. The same as JSON is at <a href="status">status</a>.</noscript>
<script>${script}</script></body></html>
`

const hash = Crypto.createHash("sha256").update(script).digest("base64")

/** Allows the page's own script and its events, and nothing else. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "style-src 'unsafe-inline'",
  `script-src 'sha256-${hash}'`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")
