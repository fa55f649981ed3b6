/**
 * The script of the live page. Every text from a runner or an app is set as text: nothing here parses HTML.
 *
 * Nodes are kept from second to second and only their changes are written, so that a selection, a tooltip and the place of a
 * scroll bar stay.
 */
export const script = String.raw`
"use strict"
const base = location.pathname.replace(/\/?$/, "/")
const $ = (id) => document.getElementById(id)
const h = (tag, cls, ...children) => {
  const node = document.createElement(tag)
  if (cls) node.className = cls
  node.append(...children)
  return node
}
const put = (node, text) => { if (node.textContent !== text) node.textContent = text }
const attr = (node, name, value) => { if (node.getAttribute(name) !== value) node.setAttribute(name, value) }
const cls = (node, name) => { if (node.className !== name) node.className = name }
const show = (node, on) => { if (node.hidden === on) node.hidden = !on }
// the children of a node, one for each item: made once, updated, put in order
const list = (node, items, key, make, update) => {
  const known = node.known || (node.known = new Map())
  const used = new Set()
  items.forEach((item, index) => {
    let id = key(item)
    while (used.has(id)) id += "'"
    used.add(id)
    let child = known.get(id)
    if (!child) known.set(id, child = make(item))
    update(child, item)
    if (node.children[index] !== child) node.insertBefore(child, node.children[index] || null)
  })
  for (const [id, child] of known) if (!used.has(id)) { child.remove(); known.delete(id) }
}
const ms = (t) => {
  if (t === undefined) return "\u2013"
  if (t < 1) return t.toFixed(2) + " ms"
  if (t < 10) return t.toFixed(1) + " ms"
  if (t < 1000) return Math.round(t) + " ms"
  if (t < 60000) return (t / 1000).toFixed(t < 10000 ? 2 : 1) + " s"
  const m = Math.round(t / 60000)
  if (m < 60) return m + " min"
  return m < 2880 ? Math.floor(m / 60) + " h " + m % 60 + " min" : Math.round(m / 1440) + " d"
}
const ago = (at, now) => now - at < 1500 ? "now" : ms(Math.floor((now - at) / 1000) * 1000) .replace(/\.\d+/, "") + " ago"
const num = (n) => n >= 1e6 ? (n / 1e6).toFixed(1) + " M" : n >= 1e4 ? (n / 1e3).toFixed(1) + " k" : String(n)
const colors = { beforeBoot: "#868e96", launched: "#4c6ef5", created: "#74a9f5", scheduled: "#15aabf", pulled: "#7950f2", started: "#12b886", importing: "#f59f00", imported: "#fd7e14", connected: "#e64980", ready: "#40c057" }
const spare = ["#845ef7", "#20c997", "#ff922b", "#339af0"]
const color = (step) => colors[step] || (colors[step] = spare[Object.keys(colors).length % spare.length])

const svg = (tag) => document.createElementNS("http://www.w3.org/2000/svg", tag)
const chart = (series) => {
  const root = svg("svg")
  root.setAttribute("viewBox", "0 0 300 90")
  root.setAttribute("preserveAspectRatio", "none")
  root.setAttribute("role", "img")
  const paths = series.map((fill) => {
    const path = svg("path")
    path.style.fill = fill
    path.style.stroke = fill
    path.style.fillOpacity = ".22"
    path.setAttribute("vector-effect", "non-scaling-stroke")
    root.append(path)
    return path
  })
  return { root, draw: (data, top) => paths.forEach((path, n) => {
    const line = data[n], span = Math.max(60, line.length), x = (i) => (300 * (span - line.length + i + 1) / span).toFixed(1)
    let d = ""
    line.forEach((v, i) => { d += (i ? "L" : "M") + x(i) + " " + (88 - 84 * v / top).toFixed(1) })
    attr(path, "d", d === "" ? "M0 0" : d + "L300 90L" + x(0) + " 90Z")
  }) }
}
const card = (title, wide, ...notes) => {
  const head = h("h3", "", title, ...notes), body = h("div")
  return { root: h("section", "card" + (wide ? " wide" : ""), head, body), head, body }
}
const key = (name, c) => { const k = h("span", "key", name); k.style.setProperty("--c", c); return k }
const table = (body, ...heads) => {
  const rows = h("tbody")
  const root = h("table", "", h("thead", "", h("tr", "", ...heads.map(([t, n]) => h("th", n ? "n" : "", t)))), rows)
  const empty = h("div", "empty")
  body.append(h("div", "scroll", root), empty)
  return { rows, empty: (text) => { show(root, text === ""); put(empty, text); show(empty, text !== "") } }
}
const row = (...classes) => () => h("tr", "", ...classes.map((c) => h("td", c)))
const cells = (tr, ...texts) => texts.forEach((text, i) => put(tr.children[i], text))

const act = async (path, body, out) => {
  put(out, "\u2026")
  try {
    const answer = await fetch(base + path, { method: "POST", headers: { "content-type": "application/json", "x-flame-action": "1" }, body: JSON.stringify(body) })
    const { done, error } = await answer.json()
    put(out, done || error)
  } catch (e) { put(out, String(e)) }
}

const resizer = (id) => {
  const field = (name) => { const i = h("input"); i.type = "number"; i.min = "0"; i.name = name; i.setAttribute("aria-label", name); return i }
  const min = field("min"), max = field("max"), out = h("span", "dim")
  const form = h("form", "", "resize: min", min, "max", max, h("button", "act", "apply"), out)
  form.onsubmit = (e) => {
    e.preventDefault()
    const wanted = { pool: id }
    for (const i of [min, max]) if (i.value !== "") wanted[i.name] = Number(i.value)
    act("resize", wanted, out)
  }
  return { form, set: (p) => { min.placeholder = p.min; max.placeholder = p.max } }
}

const tile = (name) => {
  const value = h("b"), more = h("i"), root = h("div", "tile", h("span", "", name), value, " ", more)
  return { root, set: (v, m, c) => { put(value, v); put(more, m || ""); cls(root, "tile" + (c ? " " + c : "")) } }
}

const slotsOf = (node, r, size) => {
  const held = r.calls + r.suspended, n = Math.max(size, held)
  const stuck = r.running.filter((c) => c.state === "stuck").length
  if (n > 16) {
    if (node.children.length !== 1 || node.firstChild.className !== "bar") node.replaceChildren(h("i", "bar"))
    const bar = node.firstChild.style
    bar.setProperty("--u", 100 * (held - r.suspended) / n + "%")
    bar.setProperty("--s", 100 * held / n + "%")
    return
  }
  while (node.children.length < n) node.append(h("i"))
  while (node.children.length > n) node.lastChild.remove()
  for (let i = 0; i < n; i++) cls(node.children[i], i >= held ? "" : i < stuck ? "stuck" : i >= held - r.suspended ? "suspended" : "busy")
}
const about = (r) => r.id + ", " + r.state + (r.state === "booting" ? " (" + (r.waitsFor || r.phase) + ")" : " for " + ms(r.age) + ", " + r.calls + " call" + (r.calls === 1 ? "" : "s"))

const poolView = (first) => {
  const title = h("span", "", first.pool), tag = h("span", "tag"), note = h("small"), resize = resizer(first.pool)
  const names = ["runners", "busy slots", "waiting", "calls / s", "failed", "lost runners"]
  const tiles = names.map(tile), [runners, busy, waiting, rate, failed, lost] = tiles
  const strip = card("Slots", true, key("free", "var(--free)"), key("busy", "var(--busy)"), key("waits for nested calls", "var(--susp)"), key("boots", "var(--boot)"), key("drains", "var(--drain)"), key("does not answer, stuck", "var(--bad)"))
  const strips = h("div", "strips"), noRunner = h("div", "empty"), one = h("div", "one")
  strip.body.append(strips, noRunner, one)
  const oneText = h("p"), oneLabels = h("p", "dim"), drain = h("button", "act", "drain"), drainOut = h("span", "dim"), oneBody = h("div")
  const drainLine = h("p", "", drain, " ", drainOut)
  one.append(oneText, oneLabels, drainLine, oneBody)
  const oneCalls = table(oneBody, ["call"], ["since", 1], ["budget left", 1], ["state"])
  let chosen = ""
  drain.onclick = () => { if (confirm("Drain " + chosen + "? Its calls end within drainTimeout.")) act("drain", { runner: chosen }, drainOut) }

  const lines = (name, a, b, ...keys) => {
    const c = card(name, false, ...keys), g = chart([a, b]), top = h("span"), span = h("span")
    c.body.append(h("div", "axis", top), g.root, h("div", "axis", span, h("span", "", "now")))
    return { root: c.root, draw: (x, y, unit, every) => {
      const most = Math.max(1, ...x, ...y)
      g.draw([x, y], most)
      put(top, num(most) + " " + (most === 1 ? unit.replace("calls", "call") : unit))
      put(span, "\u2212" + ms(Math.max(60, x.length) * every).replace(/\.\d+/, ""))
      attr(g.root, "aria-label", name + ", now " + (x[x.length - 1] || 0) + " " + unit)
    } }
  }
  const depth = lines("Queue depth", "var(--warn)", "var(--busy)", key("waiting", "var(--warn)"), key("busy", "var(--busy)"))
  const flow = lines("Rate", "var(--ok)", "var(--bad)", key("calls ended", "var(--ok)"), key("failed", "var(--bad)"))

  const fns = card("Functions", false, h("span", "", "times of the last minutes, from call to answer"))
  const fnTable = table(fns.body, ["function"], ["calls", 1], ["running", 1], ["p50", 1], ["p99", 1], ["errors", 1])
  const long = card("Longest running calls", false)
  const longTable = table(long.body, ["function"], ["runner"], ["since", 1], ["budget left", 1])
  const boots = card("Boots", false, h("span", "", "where a cold start spends its time"))
  const legend = h("h3"), bootList = h("div"), noBoot = h("div", "empty")
  boots.body.append(legend, bootList, noBoot)
  const faults = card("Losses and failures", false)
  const faultList = h("div"), noFault = h("div", "empty", "None since the status is on.")
  faults.body.append(faultList, noFault)
  const log = card("Events", true), logList = h("div", "log"), noEvent = h("div", "empty", "None since the status is on.")
  log.body.append(logList, noEvent)
  const events = []
  const banner = h("div", "banner"), bannerHead = h("b"), bannerText = h("p")
  banner.append(bannerHead, bannerText)
  banner.setAttribute("role", "alert")
  const root = h("section", "pool", h("h2", "", title, tag, note, resize.form), banner, h("div", "tiles", ...tiles.map((t) => t.root)),
    h("div", "grid", strip.root, depth.root, flow.root, fns.root, faults.root, boots.root, long.root, log.root))

  const drawStrip = (p, actions) => {
    list(strips, p.runners, (r) => r.id, (r) => {
      const b = h("button", "runner")
      b.onclick = () => { chosen = chosen === r.id ? "" : r.id; put(drainOut, ""); view.draw(view.last, view.lastActions) }
      return b
    }, (b, r) => {
      cls(b, "runner " + r.state + (r.id === chosen ? " on" : ""))
      slotsOf(b, r, p.concurrency)
      attr(b, "title", about(r))
      attr(b, "aria-label", about(r))
    })
    const latest = p.boots[0]
    cls(strips, "strips" + (p.runners.length > 60 ? " many" : ""))
    put(noRunner, p.state !== "open" ? "No runner: the pool is " + p.state + "." : latest && latest.outcome === "failed" ? "No runner: the last boot has failed." + (p.waiting ? " The pool tries again." : "") : "No runner. The pool boots one when a call comes.")
    show(noRunner, !p.runners.length)
    const r = p.runners.find((r) => r.id === chosen)
    show(one, r !== undefined)
    if (!r) return
    put(oneText, about(r))
    put(oneLabels, Object.entries(r.labels).map(([k, v]) => k + " " + v).join("  \u00b7  "))
    show(drainLine, actions)
    drain.disabled = r.state === "booting" || r.state === "draining"
    list(oneCalls.rows, r.running, (c) => c.function, row("name", "n", "n", ""), (tr, c) => cells(tr, c.function, ms(c.since), c.budget === undefined ? "none" : ms(Math.max(0, c.budget)), c.state))
    oneCalls.empty(r.running.length ? "" : "No call runs on it.")
  }
  const drawBoots = (p) => {
    const shown = p.boots.slice(0, 10)
    const most = Math.max(1, ...shown.map((b) => b.took))
    const steps = [...new Set(shown.flatMap((b) => b.steps.map(([s]) => s)))]
    list(legend, steps, (s) => s, (s) => key(s, color(s)), () => {})
    list(bootList, shown, (b) => b.runner, () => h("div", "boot", h("span"), h("div", "track"), h("span", "dim"), h("em")), (node, b) => {
      const [name, track, took, text] = node.children
      put(name, b.runner)
      attr(name, "title", b.runner)
      cls(track, "track" + (b.outcome === "failed" ? " failed" : ""))
      const before = shown[shown.indexOf(b) - 1]
      const why = b.failure ? before && before.failure === b.failure ? "" : b.failure : b.waitsFor ? "waits: " + b.waitsFor : ""
      const rest = b.took - b.steps.reduce((sum, [, t]) => sum + t, 0)
      const parts = b.steps.concat(b.outcome === "booting" || b.outcome === "failed" ? [["\u2026", Math.max(0, rest)]] : [])
      list(track, parts, ([s]) => s, () => h("i"), (i, [s, t]) => {
        cls(i, s === "\u2026" ? "rest" : "")
        i.style.width = 100 * t / most + "%"
        if (s !== "\u2026") i.style.background = color(s)
        attr(i, "title", (s === "\u2026" ? "not there yet" : s) + " " + ms(t))
      })
      put(took, ms(b.took) + (b.outcome === "ready" ? "" : " " + b.outcome))
      cls(took, b.outcome === "failed" ? "bad" : "dim")
      put(text, why)
      attr(text, "title", why)
      cls(text, b.failure ? "bad" : "dim")
      show(text, why !== "")
    })
    put(noBoot, "No boot yet.")
    show(noBoot, !shown.length)
  }
  const view = {
    root,
    reset: () => { events.length = 0; list(logList, [], String); show(noEvent, true) },
    event: (e) => {
      events.unshift(e)
      events.length = Math.min(events.length, 60)
      list(logList, events, (x) => x.at + x.tag + (x.runner || "") + x.text, (x) => h("div", /Failed|Lost|Unresp|Stuck|OutageBegan/.test(x.tag) || x.text.startsWith("is lost") ? "bad" : ""), (div, x) => put(div, new Date(x.at).toLocaleTimeString() + "  " + (x.runner ? x.runner + " " : "") + x.text))
      show(noEvent, false)
    },
    draw: (p, actions, now) => {
      now = now || view.now
      view.last = p; view.lastActions = actions; view.now = now
      put(title, p.pool)
      put(tag, p.state)
      show(tag, p.state !== "open")
      put(note, p.backend + ", " + p.min + " to " + p.max + " runners of " + p.concurrency + " slot" + (p.concurrency === 1 ? "" : "s"))
      show(resize.form, actions)
      resize.set(p)
      const sick = p.ready === 0 ? p.boots.find((b) => b.outcome !== "booting") : undefined
      show(banner, Boolean(sick && sick.outcome === "failed" && p.state === "open"))
      if (sick && sick.failure) {
        put(bannerHead, "This pool cannot boot a runner" + (p.waiting ? ": " + num(p.waiting) + " call" + (p.waiting === 1 ? " waits" : "s wait") : "") + ".")
        put(bannerText, sick.failure)
      }
      const last = (s) => s[s.length - 1] || 0
      runners.set(num(p.ready), "of " + p.max + (p.booting ? ", " + p.booting + " boot" : "") + (p.draining ? ", " + p.draining + " drain" : ""))
      busy.set(num(p.busySlots), "of " + num(p.busySlots + p.freeSlots) + (p.suspended ? ", " + p.suspended + " suspended" : ""))
      waiting.set(num(p.waiting), "", p.waiting > 0 && p.ready === 0 && p.booting === 0 ? "hot" : p.waiting > 0 ? "warm" : "")
      rate.set(num(last(p.history.ended)), "", "")
      const share = p.totals.calls ? 100 * p.totals.failed / p.totals.calls : 0
      failed.set(num(p.totals.failed), p.totals.failed ? "of " + num(p.totals.calls) + ", " + (share < 0.1 ? "< 0.1" : share.toFixed(1)) + " %" : "of " + num(p.totals.calls), last(p.history.failed) ? "hot" : "")
      lost.set(num(p.totals.runnersLost), p.totals.bootsFailed ? p.totals.bootsFailed + " boots failed" : "of " + p.totals.boots + " booted", p.totals.bootsFailed && p.ready === 0 ? "hot" : "")
      drawStrip(p, actions)
      depth.draw(p.history.waiting, p.history.busy, "calls", p.history.every)
      flow.draw(p.history.ended, p.history.failed, "calls / s", p.history.every)
      list(fnTable.rows, p.functions.slice(0, 30), (f) => f.name, row("name", "n", "n", "n", "n", "n"), (tr, f) => {
        cells(tr, f.name, num(f.calls), num(f.running), ms(f.p50), ms(f.p99), f.failed ? num(f.failed) + " (" + (100 * f.failed / f.calls).toFixed(1) + " %)" : "0")
        cls(tr.children[5], f.failed ? "n bad" : "n")
      })
      fnTable.empty(p.functions.length ? "" : "No call has ended yet.")
      const calls = p.runners.flatMap((r) => r.running.map((c) => ({ ...c, runner: r.id }))).sort((a, b) => b.since - a.since).slice(0, 10)
      list(longTable.rows, calls, (c) => c.runner + " " + c.function, row("name", "id", "n", "n"), (tr, c) => cells(tr, c.function + (c.state === "running" ? "" : " (" + c.state + ")"), c.runner, ms(c.since), c.budget === undefined ? "none" : ms(Math.max(0, c.budget))))
      longTable.empty(calls.length ? "" : "No call runs now.")
      drawBoots(p)
      list(faultList, p.failures, (f) => f.kind + f.function + f.tag, () => h("div", "fault", h("b", "bad"), " ", h("span", "dim"), h("p")), (node, f) => {
        put(node.children[0], f.tag + (f.count > 1 ? " \u00d7 " + num(f.count) : ""))
        put(node.children[1], [f.kind === "lost" ? "runner" : f.kind, f.function, f.runner, ago(f.at, now)].filter(Boolean).join("  \u00b7  "))
        put(node.children[2], f.message)
        show(node.children[2], f.message !== "")
      })
      show(noFault, !p.failures.length)
    }
  }
  return view
}

const views = new Map()
const idOf = (pools, p) => { const same = pools.filter((o) => o.pool === p.pool); return same.length > 1 ? p.pool + " " + same.indexOf(p) : p.pool }
const draw = (doc) => {
  const { host, pid, program, startedAt } = doc.parent
  put($("where"), program.split("/").pop() + " on " + host + ", pid " + pid + ", up " + ms(doc.at - startedAt))
  attr($("where"), "title", program)
  document.title = "flame \u00b7 " + program.split("/").pop()
  list($("pools"), doc.pools, (p) => idOf(doc.pools, p), (p) => { const v = poolView(p); views.set(idOf(doc.pools, p), v); return v.root }, (node, p) => views.get(idOf(doc.pools, p)).draw(p, doc.actions, doc.at))
  show($("none"), !doc.pools.length)
}
const live = (on, text) => { put($("live"), text); cls($("live"), on ? "" : "off"); cls(document.querySelector("main"), on ? "" : "stale") }
const source = new EventSource(base + "events")
source.addEventListener("status", (e) => { const doc = JSON.parse(e.data); live(true, "live"); draw(doc) })
source.addEventListener("event", (e) => { const event = JSON.parse(e.data); for (const v of views.values()) if (v.last && v.last.pool === event.pool) v.event(event) })
source.onopen = () => { for (const v of views.values()) v.reset() }
source.onerror = () => live(false, source.readyState === 2 ? "the parent refuses: reload the page" : "no connection, trying again")
`
