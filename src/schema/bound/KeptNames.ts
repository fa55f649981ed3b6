/**
 * Names that a process keeps for ever once it has used them: registered symbols, and spellings of time zones.
 *
 * A process takes a fixed number of names from its peers. Names that the process itself sends exist in it already, so they
 * do not count.
 */
export class KeptNames {
  private readonly names = new Set<string>()
  private readonly limit: number
  private taken = 0

  constructor(limit: number) {
    this.limit = limit
  }

  has(name: string): boolean {
    return this.names.has(name)
  }

  /** Notes a name of this process. */
  own(name: string): void {
    this.names.add(name)
  }

  /** Takes a name from a peer. Returns false if the process has taken as many as it may. */
  take(name: string): boolean {
    if (this.names.has(name)) return true
    if (this.taken >= this.limit) return false
    this.taken++
    this.names.add(name)
    return true
  }
}
