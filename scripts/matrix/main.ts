/**
 * `npm run pack:matrix [part…]`: the tarball in the package managers, compilers, bundlers and runtimes that apps use. Takes
 * minutes, and installs its tools into .cache. `npm run pack:check` has the fast part.
 */
import { failed } from "./Tool.ts"

const parts: Readonly<Record<string, () => Promise<{ readonly check: () => void | Promise<void> }>>> = {
  managers: () => import("./managers.ts"),
  compilers: () => import("./compilers.ts"),
  bundlers: () => import("./bundlers.ts"),
  runtimes: () => import("./runtimes.ts")
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts)
for (const name of wanted) {
  const part = parts[name]
  if (part === undefined) throw new Error(`no part ${name}: ${Object.keys(parts).join(", ")}`)
  console.log(`\n== ${name}`)
  await (await part()).check()
}
console.log(failed() === 0 ? "\nall passed" : `\n${failed()} failed`)
process.exitCode = failed() === 0 ? 0 : 1
