// Makes the folder of an image: the program bundled by scripts/bundle.ts and, in the variant `cache`, its compiled code.
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { bundle } from "../../scripts/bundle.ts"
import { compileCache, fillCompileCache } from "../../scripts/compile-cache.ts"

const here = (file) => fileURLToPath(new URL(file, import.meta.url))

/** The user id of programs in images. */
const user = 65532

export const variables = (variant) => (variant === "cache" ? compileCache("/app") : {})

/** Options of the pool of a variant: the code of `sync` comes from its parent, on the image of the others. */
export const optionsOf = (variant) =>
  variant === "sync" ? { code: { entry: here("main.mjs") }, command: ["node"], port: 9346 } : {}

export const makeFolder = async (variant) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "flame-cold-start-"))
  await bundle({ main: here("main.mjs") }, folder)
  fs.copyFileSync(here("bare.mjs"), path.join(folder, "bare.mjs"))
  if (variant === "cache") await fillCompileCache(path.join(folder, "main.mjs"), user)
  return folder
}
