// Maps a frame of a CPU profile to a part of the program.
import fs from "node:fs"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { home } from "./catalog.mjs"

const root = path.dirname(home)
const SYSCALL = /^(write|read|shutdown|end)|^(consume|Buffer|Latin1|Utf8)/
const NATIVE = new Map([
  ["(garbage collector)", "GC"],
  ["(idle)", "idle"],
  ["(program)", "native code, event loop"],
  ["(root)", "native code, event loop"]
])

/** Areas by pattern: the first match wins. Patterns match a path from the root of the repository, or node:… */
const AREAS = [
  [/^node:(internal\/streams|net|stream|internal\/stream_base|events|internal\/event|buffer)/, "node streams"],
  [/^node:/, "node, other"],
  [
    /effect\/(dist|src)\/(encoding|Schema|SchemaAST|SchemaParser|SchemaIssue|SchemaGetter|SchemaTransformation|schema\/|internal\/schema)/,
    "codec"
  ],
  [/^src\/(FunctionCodec|SchemaLayout|codec\/)/, "codec"],
  [/(^|\/)effect\/(dist|src)\//, "effect runtime"],
  [/^src\/wire\//, "our wire"],
  [/^src\/pool\//, "our pool"],
  [/^src\/runner\//, "our runner"],
  [/^src\//, "our doors and the rest"],
  [/^bench\/peers\/shared\/wire\//, "prototype's wire"],
  [/^bench\//, "the benchmark itself"]
]

/** The modules of each bundle by line. All frames of a bundle share its URL, so rolldown's comments name the module. */
const bundles = new Map()
const modulesOf = (file) => {
  const known = bundles.get(file)
  if (known) return known
  let current = ""
  const lines = fs.readFileSync(file, "utf8").split("\n")
  const modules = lines.map((line) => (current = /^\/\/ (\S+\.(?:m?js|ts))$/.exec(line)?.[1] ?? current))
  bundles.set(file, modules)
  return modules
}

/** The file of a frame's code, from the root of the repository. Empty for native code. */
export const placeOf = ({ url, line }) => {
  if (!url.startsWith("file:")) return url
  const place = path.relative(root, fileURLToPath(url))
  if (place.startsWith("bench/.out/lib/")) return place.replace("bench/.out/lib/", "src/")
  if (!place.startsWith("bench/.out/")) return withoutFolder(place)
  return withoutFolder(modulesOf(path.join(root, place))[line - 1] || place)
}
const withoutFolder = (place) => place.replace(/^node_modules\//, "")

export const areaOf = (frame) => {
  const native = NATIVE.get(frame.name)
  if (native) return native
  const place = placeOf(frame)
  if (place === "") return SYSCALL.test(frame.name) ? "write and read calls" : "native code, built in"
  return AREAS.find(([pattern]) => pattern.test(place))?.[1] ?? "other packages"
}
