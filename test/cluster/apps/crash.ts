/** Makes a runner fail before it serves, as its environment says. Has no effect on parents. */
export const crash = (): void => {
  const crash = process.env["TEST_CRASH"]
  if (crash !== undefined) throw new Error(crash)
  const exit = process.env["TEST_EXIT"]
  if (exit !== undefined) process.exit(Number(exit))
  const hold = process.env["TEST_HOLD"]
  // Blocks for that long. From outside this looks like a slow import.
  if (hold !== undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(hold))
  if (process.env["TEST_HOARD"] !== undefined) {
    const hoard: Array<Buffer> = []
    for (;;) hoard.push(Buffer.alloc(8 * 1024 * 1024, hoard.length + 1))
  }
}
