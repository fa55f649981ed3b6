/** Asks the parent for the code with a given hash, and checks the received bytes before any of them run. */
import type { Duplex } from "node:stream"
import { builtin } from "../../function/Builtin.ts"
import { Kind } from "../../wire/Frame.ts"
import { type CodeHead, creditWindow } from "../CodeExchange.ts"
import { BootError, type Failure, neverConnected } from "./Failure.ts"
import * as Frames from "./Frames.ts"

/** The pack with that hash. Rejects if the parent has other code, or is gone. */
export const receive = (socket: Duplex, hash: string): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    let head: CodeHead | undefined
    const chunks: Array<Buffer> = []
    let had = 0
    let unused = 0
    const fail = (failure: Failure) => {
      reject(new BootError(failure))
      return false
    }
    const kept = (): boolean => {
      const packed = builtin("node:zlib").zstdDecompressSync(Buffer.concat(chunks), { maxOutputLength: head!.size })
      const found = builtin("node:crypto").createHash("sha256").update(packed).digest("hex")
      if (found !== hash) return fail({ _tag: "CodeMismatch", expected: hash, found })
      resolve(packed)
      return false
    }
    const take = (kind: number, body: Buffer): boolean => {
      // The parent has other code, and sends a `BootFailure`.
      if (kind === Kind.Refuse) return fail(JSON.parse(body.toString("utf8")) as Failure)
      if (kind === Kind.CodeHead) {
        head = JSON.parse(body.toString("utf8")) as CodeHead
        return true
      }
      if (kind !== Kind.CodePart || head === undefined) return fail(misunderstood(kind))
      chunks.push(Buffer.from(body))
      had += body.length
      unused += body.length
      if (had >= head.sent) return kept()
      if (unused >= creditWindow / 2) {
        Frames.sendNumber(socket, Kind.CodeCredit, unused)
        unused = 0
      }
      return true
    }
    const ended = (why: string) =>
      reject(neverConnected(`its parent did not send the code: ${why} after ${had} of ${head?.sent ?? "its"} bytes`))
    Frames.read(
      socket,
      (kind, body) => {
        try {
          return take(kind, body)
        } catch (error) {
          return fail({ _tag: "NotARunner", detail: `the code that it received cannot be read: ${String(error)}` })
        }
      },
      ended
    )
    Frames.send(socket, Kind.AskCode, { hash, node: process.versions.node })
    Frames.sendNumber(socket, Kind.CodeCredit, creditWindow)
  })

const misunderstood = (kind: number): Failure => ({
  _tag: "NotARunner",
  detail: `its parent answered the question for its code with a frame of kind ${kind}: run both from the same version of effect-flame`
})
