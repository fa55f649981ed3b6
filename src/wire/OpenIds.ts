/**
 * The open requests of one side of a connection, by small ids.
 *
 * An id is reused at once. That is safe: frames are ordered, so no late frame can refer to the previous owner of the id.
 */
export class OpenIds<A> implements Iterable<A> {
  private readonly all: Array<A | undefined> = [undefined]
  private readonly free: Array<number> = []

  get size(): number {
    return this.all.length - 1 - this.free.length
  }

  /** The id that `add` will return next. */
  get next(): number {
    return this.free.at(-1) ?? this.all.length
  }

  /** Adds an element. Returns its id, which is never 0. */
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
