/** An app that has the package from its tarball, as a user has it. */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { folder, root } from "./Tool.ts"

/** The version of a package in this repository. */
export const versionOf = (name: string): string =>
  JSON.parse(Fs.readFileSync(Path.join(root, "node_modules", name, "package.json"), "utf8")).version

/** Packs what `npm publish` would publish. `npm run pack:matrix` has built it. */
export const tarball = (): string => {
  const work = folder("tarball")
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", work]
  const said = execFileSync("npm", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
  return Path.join(work, JSON.parse(said)[0].filename)
}

/** Packages of an app beside the tarball. */
export const packages = (): ReadonlyArray<string> =>
  ["effect", "@types/node"].map((name) => `${name}@${versionOf(name)}`)

/** A new folder with these files, and a package.json. */
export const app = (name: string, files: Readonly<Record<string, string>>): string => {
  const made = folder(name)
  Fs.writeFileSync(Path.join(made, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }))
  for (const [file, text] of Object.entries(files)) Fs.writeFileSync(Path.join(made, file), text)
  return made
}

/** Installs the tarball and more packages by npm. */
export const install = (cwd: string, ...more: ReadonlyArray<string>): void => {
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", ...more]
  execFileSync("npm", args, { cwd, stdio: ["ignore", "ignore", "inherit"] })
}
