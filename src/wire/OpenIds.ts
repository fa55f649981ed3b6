/**
 * What is open on a connection, by ids that its maker gives: one that is free again is given to the next, so that ids
 * stay small and nothing is moved about. As frames keep their order, nothing that was said of an id before comes after
 * its next use.
 */
export class OpenIds<A> implements Iterable<A> {
  private readonly all: Array<A | undefined> = [undefined]
  private readonly free: Array<number> = []

  get size(): number {
    return this.all.length - 1 - this.free.length
  }

  /** The id that the next one gets. */
  get next(): number {
    return this.free.at(-1) ?? this.all.length
  }

  /** Gives it its id, which is never 0. */
  add(one: A): number {
    const id = this.free.pop() ?? this.all.length
    this.all[id] = one
    return id
  }

  get(id: number): A | undefined {
    return this.all[id]
  }

  delete(id: number): void {
    if (this.all[id] === undefined) return
    this.all[id] = undefined
    this.free.push(id)
  }

  clear(): void {
    this.all.length = 1
    this.free.length = 0
  }

  *[Symbol.iterator](): Iterator<A> {
    for (const one of this.all) if (one !== undefined) yield one
  }
}
