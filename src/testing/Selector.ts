/** Label selectors, as far as a parent uses them: `a=b,c!=d,e,!f,g in (h,i),j notin (k)`. */

const term =
  /^(?:(?<not>!)?(?<key>[\w./-]+)|(?<left>[\w./-]+)\s*(?<sign>==?|!=)\s*(?<value>[\w.-]*)|(?<of>[\w./-]+)\s+(?<set>in|notin)\s*\((?<values>[^)]*)\))$/

/** Whether labels match a selector. An empty one matches everything. Throws for a text that is no selector. */
export const matches = (selector: string, labels: Readonly<Record<string, string>> = {}): boolean =>
  selector
    // Commas within brackets separate values, not terms.
    .split(/,(?![^(]*\))/)
    .map((text) => text.trim())
    .filter((text) => text !== "")
    .every((text) => holds(text, labels))

const holds = (text: string, labels: Readonly<Record<string, string>>): boolean => {
  const { key, left, not, of, set, sign, value, values } = term.exec(text)?.groups ?? {}
  if (key !== undefined) return key in labels === (not === undefined)
  if (left !== undefined) return (labels[left] === value) === (sign !== "!=")
  if (of === undefined) throw new Error(`not a label selector: ${text}`)
  const among = (values ?? "").split(",").map((value) => value.trim())
  return among.includes(labels[of] ?? "") === (set === "in")
}
