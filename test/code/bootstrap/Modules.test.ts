import { assert, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"

/** Installs a program in a process of its own, whose hooks stay, and runs it. */
const run = (files: Readonly<Record<string, string>>): string => {
  const module = new URL("../../../src/code/bootstrap/Modules.ts", import.meta.url).href
  const program = `
    import { pathToFileURL } from "node:url"
    import { install } from ${JSON.stringify(module)}
    const files = Object.entries(${JSON.stringify(files)})
      .map(([name, text]) => ({ name, kind: "module", bytes: Buffer.from(text) }))
    const { entry } = install({ entry: files[0].name, files: [], onDisk: false, native: {} }, files, "0123456789abcdef")
    await import(pathToFileURL(entry).href)`
  return execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8", stdio: "pipe" })
}

it("modules in memory are found under any name of a file, as on a disk", () => {
  const names = ["[id].mjs", "a b.mjs", "\u00e4|^.mjs"]
  const imports = names.flatMap((name) => [`import "./${name}"`, `import "./${encodeURIComponent(name)}"`])
  const files = Object.fromEntries(names.map((name) => [name, `console.log(${JSON.stringify(name)})`]))
  assert.deepStrictEqual(
    run({ "main.mjs": imports.join("\n"), ...files })
      .trim()
      .split("\n"),
    names
  )
})
