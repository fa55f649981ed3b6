/**
 * The script of the live page. Every text from a runner or an app is set as text: nothing here parses HTML.
 *
 * The page has no timer. The parent pushes a status at each tick (`record/Tick.ts`), and the page draws it.
 */
import { cards } from "./PageCards.ts"
import { tools } from "./PageTools.ts"

const views = String.raw`
const poolView = (first) => {
  const view = { events: eventsCard() }
  const title = titleLine(first.pool), alert = banner(), tiles = tilesLine()
  const inGrid = [
    slotsCard(() => view.redraw()),
    chartCard("Queue depth", "calls", ["waiting", "var(--warn)", (s) => s.waiting], ["busy", "var(--busy)", (s) => s.busy]),
    chartCard("Rate", "calls / s", ["calls ended", "var(--ok)", (s) => s.ended], ["failed", "var(--bad)", (s) => s.failed]),
    functionsCard(), faultsCard(), bootsCard(), runningCard(), view.events
  ]
  view.pool = first.pool
  view.root = h("section", "pool", title.root, alert.root, tiles.root, h("div", "grid", ...inGrid.map((c) => c.root)))
  view.draw = (p, actions, now) => {
    view.redraw = () => view.draw(p, actions, now)
    for (const part of [title, alert, tiles, ...inGrid]) part.draw(p, actions, now)
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
source.addEventListener("event", (e) => { const event = JSON.parse(e.data); for (const v of views.values()) if (v.pool === event.pool) v.events.add(event) })
source.onopen = () => { for (const v of views.values()) v.events.reset() }
source.onerror = () => live(false, source.readyState === 2 ? "the parent refuses: reload the page" : "no connection, trying again")
`

export const script = tools + cards + views
