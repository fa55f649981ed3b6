/**
 * Deadlines, earliest first: a binary heap whose items know their index in it. One timer serves any number of them, and
 * each can be cancelled in O(log n).
 */

/** An item that is due at a time. An item is in at most one heap. */
export interface Deadline {
  /**
   * The time when the item is due, in any unit that all items of a heap share. Must not change while the item is in a
   * heap.
   */
  at: number
  /** The item's index in the heap, or -1. Only the heap writes it. */
  heapIndex: number
}

/** A heap of deadlines with the earliest on top. The order of equal deadlines is not defined. */
export class Deadlines<T extends Deadline> {
  private readonly heap: Array<T> = []

  get size(): number {
    return this.heap.length
  }

  /** The earliest item, which stays in the heap. */
  first(): T | undefined {
    return this.heap[0]
  }

  /** Inserts an item that is in no heap. O(log n), or O(1) if the item is due last. */
  insert(item: T): void {
    this.rise(item, this.heap.length)
  }

  /** Removes an item. Returns false if the item was not in this heap. O(log n). */
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

  /** Removes and returns the earliest item if it is due by `now`. */
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
