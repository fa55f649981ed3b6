/**
 * The tools of the live page's script: nodes, lists of nodes, tables, charts, and numbers as text.
 *
 * Nodes are kept from second to second and only their changes are written, so that a selection, a tooltip and the position of
 * a scroll bar stay.
 */
export const tools = String.raw`
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
`
