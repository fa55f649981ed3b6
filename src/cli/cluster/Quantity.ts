/** Pure: quantities of Kubernetes, such as `100m`, `1Gi` and `1e3`. */

export { parse } from "../../kubernetes/object/Quantity.ts"

/** A number as a quantity of a resource: CPU in thousandths, memory in Mi, anything else whole. */
export const format = (resource: string, value: number): string => {
  if (resource.endsWith("cpu")) return Number.isInteger(value) ? String(value) : `${Math.ceil(value * 1_000 - 1e-6)}m`
  return /memory|storage/.test(resource) ? `${Math.ceil(value / 2 ** 20)}Mi` : String(Math.ceil(value))
}
