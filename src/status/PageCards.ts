/** The cards of the live page, one for each part of a pool's status. Each has its node and a function that draws it. */
export const cards = String.raw`
const act = async (path, body, out) => {
  put(out, "\u2026")
  try {
    const answer = await fetch(base + path, { method: "POST", headers: { "content-type": "application/json", "x-flame-action": "1" }, body: JSON.stringify(body) })
    const { done, error } = await answer.json()
    put(out, done || error)
  } catch (e) { put(out, String(e)) }
}
const plural = (n, word) => num(n) + " " + word + (n === 1 ? "" : "s")
const left = (c) => c.budget === undefined ? "none" : ms(Math.max(0, c.budget))

// min and max of a pool, where actions are allowed
const resizeForm = (id) => {
  const field = (name) => { const i = h("input"); i.type = "number"; i.min = "0"; i.name = name; i.setAttribute("aria-label", name); return i }
  const min = field("min"), max = field("max"), out = h("span", "dim")
  const root = h("form", "", "resize: min", min, "max", max, h("button", "act", "apply"), out)
  root.onsubmit = (e) => {
    e.preventDefault()
    const wanted = { pool: id }
    for (const i of [min, max]) if (i.value !== "") wanted[i.name] = Number(i.value)
    act("resize", wanted, out)
  }
  return { root, draw: (p, actions) => { show(root, actions); min.placeholder = p.min; max.placeholder = p.max } }
}

const titleLine = (id) => {
  const title = h("span", "", id), tag = h("span", "tag"), note = h("small"), resize = resizeForm(id)
  return { root: h("h2", "", title, tag, note, resize.root), draw: (p, actions) => {
    put(tag, p.state)
    show(tag, p.state !== "open")
    put(note, p.backend + ", " + p.min + " to " + p.max + " runners of " + plural(p.concurrency, "slot"))
    resize.draw(p, actions)
  } }
}

// a pool that cannot boot
const banner = () => {
  const head = h("b"), text = h("p"), root = h("div", "banner", head, text)
  root.setAttribute("role", "alert")
  return { root, draw: (p) => {
    const last = p.ready === 0 ? p.boots.find((b) => b.outcome !== "booting") : undefined
    const sick = last !== undefined && last.outcome === "failed" && p.state === "open"
    show(root, sick)
    if (!sick) return
    put(head, "This pool cannot boot a runner" + (p.waiting ? ": " + plural(p.waiting, "call") + (p.waiting === 1 ? " waits" : " wait") : "") + ".")
    put(text, last.failure)
  } }
}

const tile = (name) => {
  const value = h("b"), more = h("i"), root = h("div", "tile", h("span", "", name), value, " ", more)
  return { root, set: (v, m, c) => { put(value, num(v)); put(more, m || ""); cls(root, "tile" + (c ? " " + c : "")) } }
}
const tilesLine = () => {
  const all = ["runners", "busy slots", "waiting", "calls / s", "failed", "lost runners"].map(tile)
  const [runners, busy, waiting, rate, failed, lost] = all
  const last = (s) => s[s.length - 1] || 0
  return { root: h("div", "tiles", ...all.map((t) => t.root)), draw: (p) => {
    const { totals: t, history } = p, share = t.calls ? 100 * t.failed / t.calls : 0
    runners.set(p.ready, "of " + p.max + (p.booting ? ", " + p.booting + " boot" : "") + (p.draining ? ", " + p.draining + " drain" : ""))
    busy.set(p.busySlots, "of " + num(p.busySlots + p.freeSlots) + (p.suspended ? ", " + p.suspended + " suspended" : ""))
    waiting.set(p.waiting, "", p.waiting > 0 && p.ready === 0 && p.booting === 0 ? "hot" : p.waiting > 0 ? "warm" : "")
    rate.set(last(history.ended))
    failed.set(t.failed, "of " + num(t.calls) + (t.failed ? ", " + (share < 0.1 ? "< 0.1" : share.toFixed(1)) + " %" : ""), last(history.failed) ? "hot" : "")
    lost.set(t.runnersLost, t.bootsFailed ? plural(t.bootsFailed, "boot") + " failed" : "of " + t.boots + " booted", t.runnersLost && p.ready === 0 ? "hot" : t.bootsFailed ? "noted" : "")
  } }
}

// squares of a runner's slots; a bar where they would be too many
const drawSlots = (node, r, size) => {
  const held = r.calls + r.suspended, n = Math.max(size, held)
  if (n > 16) {
    if (node.children.length !== 1 || node.firstChild.className !== "bar") node.replaceChildren(h("i", "bar"))
    const bar = node.firstChild.style
    bar.setProperty("--u", 100 * r.calls / n + "%")
    bar.setProperty("--s", 100 * held / n + "%")
    return
  }
  const stuck = r.running.filter((c) => c.state === "stuck").length
  if (node.firstChild && node.firstChild.className === "bar") node.replaceChildren()
  while (node.children.length < n) node.append(h("i"))
  while (node.children.length > n) node.lastChild.remove()
  for (let i = 0; i < n; i++) cls(node.children[i], i >= held ? "" : i < stuck ? "stuck" : i >= r.calls ? "suspended" : "busy")
}
const about = (r) => r.id + ", " + r.state + (r.state === "booting" ? " (" + (r.waitsFor || r.phase) + ")" : " for " + ms(r.age) + ", " + plural(r.calls, "call"))

// the runner that was chosen, with its calls
const chosenRunner = () => {
  const text = h("p"), labels = h("p", "dim"), drain = h("button", "act", "drain"), out = h("span", "dim"), body = h("div")
  const line = h("p", "", drain, " ", out), root = h("div", "one", text, labels, line, body)
  const calls = table(body, ["call"], ["since", 1], ["budget left", 1], ["state"])
  let id = ""
  drain.onclick = () => { if (confirm("Drain " + id + "? Its calls end within drainTimeout.")) act("drain", { runner: id }, out) }
  return { root, draw: (r, actions) => {
    show(root, r !== undefined)
    if (r === undefined) return
    if (id !== r.id) put(out, "")
    id = r.id
    put(text, about(r))
    put(labels, Object.entries(r.labels).map(([k, v]) => k + " " + v).join("  \u00b7  "))
    show(line, actions)
    drain.disabled = r.state === "booting" || r.state === "draining"
    list(calls.rows, r.running, (c) => c.function, row("name", "n", "n", ""), (tr, c) => cells(tr, c.function, ms(c.since), left(c), c.state))
    calls.empty(r.running.length ? "" : "No call runs on it.")
  } }
}
const slotsCard = (redraw) => {
  const { root, body } = card("Slots", true, key("free", "var(--free)"), key("busy", "var(--busy)"), key("waits for nested calls", "var(--susp)"), key("boots", "var(--boot)"), key("drains", "var(--drain)"), key("does not answer, stuck", "var(--bad)"))
  const strips = h("div", "strips"), none = h("div", "empty"), one = chosenRunner()
  body.append(strips, none, one.root)
  let chosen = ""
  const make = (r) => {
    const b = h("button", "runner")
    b.onclick = () => { chosen = chosen === r.id ? "" : r.id; redraw() }
    return b
  }
  return { root, draw: (p, actions) => {
    const [latest] = p.boots
    list(strips, p.runners, (r) => r.id, make, (b, r) => {
      cls(b, "runner " + r.state + (r.id === chosen ? " on" : ""))
      drawSlots(b, r, p.concurrency)
      attr(b, "title", about(r))
      attr(b, "aria-label", about(r))
    })
    cls(strips, "strips" + (p.runners.length > 60 ? " many" : ""))
    show(none, !p.runners.length)
    put(none, p.state !== "open" ? "No runner: the pool is " + p.state + "." : latest && latest.outcome === "failed" ? "No runner: the last boot has failed." + (p.waiting ? " The pool tries again." : "") : "No runner. The pool boots one when a call comes.")
    one.draw(p.runners.find((r) => r.id === chosen), actions)
  } }
}

const chartCard = (name, unit, [first, a, readA], [second, b, readB]) => {
  const { root, body } = card(name, false, key(first, a), key(second, b))
  const g = chart([a, b]), top = h("span"), span = h("span")
  body.append(h("div", "axis", top), g.root, h("div", "axis", span, h("span", "", "now")))
  return { root, draw: (p) => {
    const x = readA(p.history), y = readB(p.history), most = Math.max(1, ...x, ...y)
    g.draw([x, y], most)
    put(top, num(most) + " " + (most === 1 ? unit.replace("calls", "call") : unit))
    put(span, "\u2212" + ms(Math.max(60, x.length) * p.history.every).replace(/\.\d+/, ""))
    attr(g.root, "aria-label", name + ", now " + (x[x.length - 1] || 0) + " " + unit)
  } }
}

const functionsCard = () => {
  const { root, body } = card("Functions", false, h("span", "", "times of the last minutes, from call to answer"))
  const t = table(body, ["function"], ["calls", 1], ["running", 1], ["p50", 1], ["p99", 1], ["errors", 1])
  return { root, draw: (p) => {
    list(t.rows, p.functions.slice(0, 30), (f) => f.name, row("name", "n", "n", "n", "n", "n"), (tr, f) => {
      cells(tr, f.name, num(f.calls), num(f.running), ms(f.p50), ms(f.p99), f.failed ? num(f.failed) + " (" + (100 * f.failed / f.calls).toFixed(1) + " %)" : "0")
      cls(tr.children[5], f.failed ? "n bad" : "n")
    })
    t.empty(p.functions.length ? "" : "No call has ended yet.")
  } }
}

const runningCard = () => {
  const { root, body } = card("Longest running calls", false)
  const t = table(body, ["function"], ["runner"], ["since", 1], ["budget left", 1])
  return { root, draw: (p) => {
    const calls = p.runners.flatMap((r) => r.running.map((c) => ({ ...c, runner: r.id }))).sort((a, b) => b.since - a.since).slice(0, 10)
    list(t.rows, calls, (c) => c.runner + " " + c.function, row("name", "id", "n", "n"), (tr, c) => cells(tr, c.function + (c.state === "running" ? "" : " (" + c.state + ")"), c.runner, ms(c.since), left(c)))
    t.empty(calls.length ? "" : "No call runs now.")
  } }
}

const bootsCard = () => {
  const { root, body } = card("Boots", false, h("span", "", "where a cold start spends its time"))
  const legend = h("h3"), all = h("div"), none = h("div", "empty", "No boot yet.")
  body.append(legend, all, none)
  const drawTrack = (track, b, most) => {
    const rest = Math.max(0, b.took - b.steps.reduce((sum, [, t]) => sum + t, 0))
    const parts = b.steps.concat(b.outcome === "booting" || b.outcome === "failed" ? [["\u2026", rest]] : [])
    cls(track, "track" + (b.outcome === "failed" ? " failed" : ""))
    list(track, parts, ([s]) => s, () => h("i"), (i, [s, t]) => {
      const open = s === "\u2026"
      cls(i, open ? "rest" : "")
      i.style.width = 100 * t / most + "%"
      if (!open) i.style.background = color(s)
      attr(i, "title", (open ? "not there yet" : s) + " " + ms(t))
    })
  }
  return { root, draw: (p) => {
    const shown = p.boots.slice(0, 10), most = Math.max(1, ...shown.map((b) => b.took))
    list(legend, [...new Set(shown.flatMap((b) => b.steps.map(([s]) => s)))], (s) => s, (s) => key(s, color(s)), () => {})
    list(all, shown, (b) => b.runner, () => h("div", "boot", h("span"), h("div", "track"), h("span", "dim"), h("em")), (node, b) => {
      const [name, track, took, text] = node.children, before = shown[shown.indexOf(b) - 1]
      // the same cause is written once
      const why = b.failure ? before && before.failure === b.failure ? "" : b.failure : b.waitsFor ? "waits: " + b.waitsFor : ""
      put(name, b.runner)
      attr(name, "title", b.runner)
      drawTrack(track, b, most)
      put(took, ms(b.took) + (b.outcome === "ready" ? "" : " " + b.outcome))
      cls(took, b.outcome === "failed" ? "bad" : "dim")
      put(text, why)
      attr(text, "title", why)
      cls(text, b.failure ? "bad" : "dim")
      show(text, why !== "")
    })
    show(none, !shown.length)
  } }
}

const faultsCard = () => {
  const { root, body } = card("Losses and failures", false)
  const all = h("div"), none = h("div", "empty", "None since the status is on.")
  body.append(all, none)
  return { root, draw: (p, actions, now) => {
    list(all, p.failures, (f) => f.kind + f.function + f.tag, () => h("div", "fault", h("b", "bad"), " ", h("span", "dim"), h("p")), (node, f) => {
      const [tag, where, text] = node.children
      put(tag, f.tag + (f.count > 1 ? " \u00d7 " + num(f.count) : ""))
      put(where, [f.kind === "lost" ? "runner" : f.kind, f.function, f.runner, ago(f.at, now)].filter(Boolean).join("  \u00b7  "))
      put(text, f.message)
      show(text, f.message !== "")
    })
    show(none, !p.failures.length)
  } }
}

const eventsCard = () => {
  const { root, body } = card("Events", true)
  const all = h("div", "log"), none = h("div", "empty", "None since the status is on.")
  body.append(all, none)
  const events = []
  const isBad = (e) => /Failed|Lost|Unresp|Stuck|OutageBegan/.test(e.tag) || e.text.startsWith("is lost")
  return { root, draw: () => {}, reset: () => { events.length = 0; list(all, [], String); show(none, true) }, add: (event) => {
    events.unshift(event)
    events.length = Math.min(events.length, 60)
    list(all, events, (e) => e.at + e.tag + (e.runner || "") + e.text, (e) => h("div", isBad(e) ? "bad" : ""), (div, e) => put(div, new Date(e.at).toLocaleTimeString() + "  " + (e.runner ? e.runner + " " : "") + e.text))
    show(none, false)
  } }
}
`
