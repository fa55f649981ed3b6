/** The order of resource versions: decimal numbers of any size, without leading zeros. */

/** Whether the first is newer than the second; an unknown version is older than all. */
export const isNewer = (first: string | undefined, second: string | undefined): boolean => {
  const a = first ?? ""
  const b = second ?? ""
  return a.length === b.length ? a > b : a.length > b.length
}

/** The newer of two. */
export const newest = (first: string, second: string | undefined): string =>
  second !== undefined && isNewer(second, first) ? second : first
