/** Packages that work only as installed files, because they have a native addon. */
import { readFileSync } from "node:fs"
import { basename, join } from "node:path"

/** Packages by which other packages find and load their native addon. */
const loaders = ["node-gyp-build", "bindings", "prebuild-install", "@mapbox/node-pre-gyp", "node-addon-api", "nan"]

/** The package of a resolved file, and why it cannot be sent. Undefined if it can. */
export const problemOf = (file: string): { readonly name: string; readonly why: string } | undefined => {
  const folder = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)/.exec(file)?.[1]
  const manifest = folder === undefined ? undefined : manifestOf(folder)
  const name = manifest?.name ?? (folder === undefined ? file : basename(folder))
  if (file.endsWith(".node")) return { name, why: `${basename(file)} is a native addon` }
  if (folder === undefined || manifest === undefined) return undefined
  const why = whyNative(manifest)
  return why === undefined ? undefined : { name, why }
}

/** Tells CommonJS from a module: CommonJS has no `import` or `export` at the start of a line. */
const isModule = /^\s*(import|export)\b|\bimport\.meta\b/m

/**
 * The code of a CommonJS file of a package, with its folder as an image would have it: below `node_modules` of the working
 * directory. A package that reads files of its own finds them there, or names itself in the error.
 */
export const withFolder = (code: string, file: string): string => {
  const inside = /^.*[\\/](node_modules[\\/].+)$/.exec(file)?.[1]?.replaceAll("\\", "/")
  if (inside === undefined || !/\b__(dir|file)name\b/.test(code) || isModule.test(code)) return code
  if (/\b(const|let|var|function|class)\s+__(dir|file)name\b/.test(code)) return code
  const path = `process.cwd().replace(/[\\\\/]$/,"")+${JSON.stringify(`/${inside}`)}`
  // on the first line, so that the lines of the source map hold
  return `var __filename=${path},__dirname=__filename.replace(/\\/[^/]*$/,"");${code}`
}

interface Manifest {
  readonly name?: string
  readonly gypfile?: boolean
  readonly binary?: unknown
  readonly napi?: unknown
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const whyNative = (manifest: Manifest): string | undefined => {
  if (manifest.gypfile === true) return "it has a native addon"
  const loader = loaders.find((each) => manifest.dependencies?.[each] !== undefined)
  if (loader !== undefined) return `it loads a native addon by ${loader}`
  if (manifest.napi !== undefined) return "it loads a native addon by napi"
  // The package may have an optional package for each platform, such as `@img/sharp-linux-x64`.
  const platforms = Object.keys(manifest.optionalDependencies ?? {}).filter((each) => /(linux|darwin|win32)/.test(each))
  return platforms.length > 1 ? `it has a native addon for each platform, such as ${platforms[0]}` : undefined
}

const manifests = new Map<string, Manifest | undefined>()

const manifestOf = (folder: string): Manifest | undefined => {
  if (!manifests.has(folder)) manifests.set(folder, read(folder))
  return manifests.get(folder)
}

const read = (folder: string): Manifest | undefined => {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest
  } catch {
    return undefined
  }
}
