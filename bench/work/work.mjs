// The functions of the far side and the payloads of the callers, the same for every JavaScript peer.
import v8 from "node:v8"
import vm from "node:vm"

export const TEXT = "abcdefghijklmnopqrstuvwxyz0123456789-_!"

/** The value of the echo. Its JSON text is exactly 64 bytes. */
export const item = (i) => ({ id: 10_000_000 + (i % 80_000_000), text: TEXT })

/** A deterministic integer loop, about 1 ns per turn; the driver calibrates `n` to 20 ms. */
export const spin = (n) => {
  let x = 1
  for (let i = 0; i < n; i++) x = (Math.imul(x, 1664525) + 1013904223) | 0
  return x
}

export const timedSpin = (iters) => {
  const t = performance.now()
  const x = spin(iters)
  return { x, ms: performance.now() - t }
}

const blobs = new Map()
/** Bytes of a size, made once per size, so that the memory of a call beyond its value can be measured. */
export const blob = (size) => {
  const known = blobs.get(size)
  if (known) return known
  const bytes = new Uint8Array(size).fill(7)
  blobs.set(size, bytes)
  return bytes
}

export const checkBlob = (bytes, size) => {
  if (bytes.byteLength !== size || bytes[0] !== 7 || bytes[size - 1] !== 7) throw new Error("wrong blob")
}

/** Collects garbage, also in a process that was not started with `--expose-gc`. */
export const collect = () => {
  if (globalThis.gc) return globalThis.gc()
  v8.setFlagsFromString("--expose-gc")
  vm.runInNewContext("gc")()
}

/** Makes the value that a later call returns, and collects garbage, so that the memory before that call is the resting state. */
export const prepare = (size) => {
  blob(size)
  collect()
  return size
}

/** Never answers, and keeps the event loop of the far side free. */
export const hang = () => new Promise((resolve) => setTimeout(resolve, 3_600_000))

export const functions = {
  echo: ({ id, text }) => ({ id, text }),
  blob: ({ size }) => blob(size),
  record: ({ size }) => ({ name: "record", data: blob(size) }),
  sink: (bytes) => bytes.byteLength,
  prepare: ({ size }) => prepare(size),
  spin: ({ iters }) => timedSpin(iters),
  hang,
  pid: () => process.pid,
  exit: () => process.exit(7)
}
