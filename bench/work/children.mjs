// Starts far sides that are child processes of the caller.
import cp from "node:child_process"
import net from "node:net"
import os from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"

/** The path of a far side in peers/far. */
export const far = (file) => fileURLToPath(new URL(`../peers/far/${file}`, import.meta.url))

/** Starts `node peers/far/<file> args…` with an IPC channel and waits for its first message. */
export const startChild = (file, args = [], options = {}) =>
  new Promise((resolve, reject) => {
    const stdio = ["ignore", "inherit", "inherit", "ipc"]
    const proc = cp.fork(far(file), args, { stdio, execArgv: [], ...options })
    proc.once("message", (ready) => resolve({ proc, pid: proc.pid, ready }))
    proc.once("exit", (code, signal) => reject(new Error(`${file} exited ${code ?? signal}`)))
  })

export const stopChild = (proc) =>
  new Promise((resolve) => {
    if (proc.exitCode !== null || proc.signalCode !== null) return resolve()
    proc.once("exit", resolve)
    proc.kill("SIGKILL")
  })

export const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

export const socketPath = (name, i) => path.join(os.tmpdir(), `${name}-${process.pid}-${i}.sock`)
