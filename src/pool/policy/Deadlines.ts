/**
 * Times at which something is due, earliest first: a binary heap whose items know their place in it, so that one
 * timer can serve any number of them and each can be called off in O(log n).
 */

/** Something that is due at a time; it lies in at most one heap. */
export interface Deadline {
  /** When it is due, in any unit that is the same for all of a heap; not to be changed while it lies in one. */
  at: number
  /** Its place in the heap, or -1; written by the heap only. */
  place: number
}

/** A heap of deadlines, the earliest on top; the order of equal ones is not defined. */
export class Deadlines<T extends Deadline> {
  private readonly heap: Array<T> = []

  get size(): number {
    return this.heap.length
  }

  /** The earliest, which stays. */
  first(): T | undefined {
    return this.heap[0]
  }

  /** Adds an item that lies in no heap. O(log n), O(1) when it is due last. */
  insert(item: T): void {
    this.rise(item, this.heap.length)
  }

  /** Takes an item out; false if it was not in. O(log n). */
  remove(item: T): boolean {
    const place = item.place
    if (this.heap[place] !== item) return false
    item.place = -1
    const last = this.heap.pop() as T
    if (last === item) return true
    if (place > 0 && (this.heap[(place - 1) >> 1] as T).at > last.at) this.rise(last, place)
    else this.sink(last, place)
    return true
  }

  /** Takes the earliest out if it is due by `now`. */
  takeDue(now: number): T | undefined {
    const first = this.heap[0]
    if (first === undefined || first.at > now) return undefined
    this.remove(first)
    return first
  }

  private rise(item: T, from: number): void {
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = this.heap[above] as T
      if (parent.at <= item.at) break
      this.put(parent, place)
      place = above
    }
    this.put(item, place)
  }

  private sink(item: T, from: number): void {
    const size = this.heap.length
    let place = from
    for (;;) {
      let below = 2 * place + 1
      if (below >= size) break
      if (below + 1 < size && (this.heap[below + 1] as T).at < (this.heap[below] as T).at) below++
      const child = this.heap[below] as T
      if (child.at >= item.at) break
      this.put(child, place)
      place = below
    }
    this.put(item, place)
  }

  private put(item: T, place: number): void {
    this.heap[place] = item
    item.place = place
  }
}
