/** Pure: whether a selector of Kubernetes selects an object with these labels. */

export type Labels = Readonly<Record<string, string>>

/** `LabelSelector` of Kubernetes. */
export interface LabelSelector {
  readonly matchLabels?: Labels
  readonly matchExpressions?: ReadonlyArray<{
    readonly key: string
    readonly operator: string
    readonly values?: ReadonlyArray<string>
  }>
}

const meets = (labels: Labels, key: string, operator: string, values: ReadonlyArray<string>): boolean => {
  const value = labels[key]
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value)
    case "NotIn":
      return value === undefined || !values.includes(value)
    case "Exists":
      return value !== undefined
    case "DoesNotExist":
      return value === undefined
    default:
      return false
  }
}

/** Whether the selector selects these labels. An empty selector selects all, as in a NetworkPolicy. */
export const selects = ({ matchExpressions = [], matchLabels = {} }: LabelSelector, labels: Labels): boolean =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, operator, values = [] }) => meets(labels, key, operator, values))

/** A selector in words: `app=shop, tier exists`. */
export const worded = ({ matchExpressions = [], matchLabels = {} }: LabelSelector): string => {
  const all = [
    ...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`),
    ...matchExpressions.map(({ key, operator, values = [] }) => `${key} ${operator} ${values.join(",")}`.trim())
  ]
  return all.length === 0 ? "all pods" : all.join(", ")
}
