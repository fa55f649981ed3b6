/**
 * Deadlines, earliest first: a binary heap whose items know their index in it. One timer serves any number of them, and
 * each can be cancelled in O(log n).
 */

/** An item that is due at a time. It lies in at most one heap. */
export interface Deadline {
  /** When it is due, in any unit that is the same for all of a heap; not to be changed while it lies in one. */
  at: number
  /** Its index in the heap, or -1; written by the heap only. */
  heapIndex: number
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
    const index = item.heapIndex
    if (this.heap[index] !== item) return false
    item.heapIndex = -1
    const last = this.heap.pop() as T
    if (last === item) return true
    if (index > 0 && (this.heap[(index - 1) >> 1] as T).at > last.at) this.rise(last, index)
    else this.sink(last, index)
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
    let index = from
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = this.heap[above] as T
      if (parent.at <= item.at) break
      this.put(parent, index)
      index = above
    }
    this.put(item, index)
  }

  private sink(item: T, from: number): void {
    const size = this.heap.length
    let index = from
    for (;;) {
      let below = 2 * index + 1
      if (below >= size) break
      if (below + 1 < size && (this.heap[below + 1] as T).at < (this.heap[below] as T).at) below++
      const child = this.heap[below] as T
      if (child.at >= item.at) break
      this.put(child, index)
      index = below
    }
    this.put(item, index)
  }

  private put(item: T, index: number): void {
    this.heap[index] = item
    item.heapIndex = index
  }
}
