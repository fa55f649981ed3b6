// Makes the folder of an image: the program bundled by `effect-flame/build`, in the variant `cache` with its compiled code, and in
// `snapshot` with a V8 snapshot.
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { compileCache, fillCompileCache } from "../../scripts/compile-cache.ts"
import { bundle } from "../../src/build.ts"

const here = (file) => fileURLToPath(new URL(file, import.meta.url))

/** The user id of programs in images. */
const user = 65532

export const variables = (variant) => (variant === "cache" ? compileCache("/app") : {})

/** Options of the pool of a variant: the code of `sync` comes from its parent, on the image of the others. */
export const optionsOf = (variant) =>
  variant === "sync"
    ? { code: { entry: here("main.mjs") }, command: ["node"], port: 9346 }
    : variant === "snapshot"
      ? { command: ["node", "--snapshot-blob=main.snapshot", "main.mjs"] }
      : {}

export const makeFolder = async (variant) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "flame-cold-start-"))
  await Effect.runPromise(bundle({ main: here("main.mjs") }, { folder, snapshot: variant === "snapshot" }))
  fs.copyFileSync(here("bare.mjs"), path.join(folder, "bare.mjs"))
  if (variant === "cache") await fillCompileCache(path.join(folder, "main.mjs"), user)
  return folder
}
