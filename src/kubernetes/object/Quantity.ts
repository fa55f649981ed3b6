/** Pure: quantities of Kubernetes, such as `100m`, `1Gi` and `1e3`. */

const factors: Readonly<Record<string, number>> = {
  "": 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60
}

/** The number of a quantity; `NaN` for a text that is none. */
export const parse = (text: string): number => {
  const [, number = "", suffix = ""] = /^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)$/.exec(text.trim()) ?? []
  return number === "" ? NaN : Number(number) * (factors[suffix] ?? NaN)
}

/** Whether two quantities are the same number: the API server writes `0.5` as `500m`, and `1024Mi` as `1Gi`. */
export const isSame = (one: string, other: string): boolean => {
  const [a, b] = [parse(one), parse(other)]
  return one === other || Math.abs(a - b) <= 1e-9 * Math.abs(a)
}
