/** The functions of the cluster tests: those of the conformance tests, and a few more. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Flame from "../../../src/Flame.ts"
import { add, burn, bytes, place, play, print, replay, weigh } from "../../fixtures/conformance-process/functions.ts"

export {
  add,
  burn,
  bytes,
  place,
  play,
  print,
  replay,
  TooLong,
  weigh
} from "../../fixtures/conformance-process/functions.ts"

/** Returns its payload. */
export const echo = Flame.fn("echo", { payload: { text: Schema.String }, success: Schema.String }, ({ text }) =>
  Effect.succeed(text)
)

/** Writes a file into the folder for temporary files. */
export const scratch = Flame.fn("scratch", { success: Schema.String }, () =>
  Effect.promise(async () => {
    const [{ mkdtempSync, writeFileSync }, { tmpdir }] = await Promise.all([import("node:fs"), import("node:os")])
    const folder = mkdtempSync(`${tmpdir()}/scratch-`)
    writeFileSync(`${folder}/file`, "written")
    return folder
  })
)

/** Tries to call the API server with any token that the runner finds. */
export const tryApi = Flame.fn(
  "try-api",
  { success: Schema.Struct({ token: Schema.Boolean, status: Schema.Int }) },
  () =>
    Effect.promise(async () => {
      const [{ existsSync, readFileSync }, { get }] = await Promise.all([import("node:fs"), import("node:https")])
      const file = "/var/run/secrets/kubernetes.io/serviceaccount/token"
      const token = existsSync(file)
      const headers = token ? { authorization: `Bearer ${readFileSync(file, "utf8")}` } : {}
      const host = process.env["KUBERNETES_SERVICE_HOST"]
      const status = await new Promise<number>((resolve, reject) => {
        get({ host, path: "/api/v1/namespaces/default/pods", rejectUnauthorized: false, headers }, (response) => {
          response.resume()
          resolve(response.statusCode ?? 0)
        }).on("error", reject)
      })
      return { token, status }
    })
)

export const all = [add, burn, bytes, echo, place, play, print, replay, scratch, tryApi, weigh] as const
