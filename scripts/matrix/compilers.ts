/** The declarations of the tarball under every compiler: TypeScript 5.9, 6 and 7, three resolutions, exact optional or not. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as App from "./App.ts"
import { library } from "./Library.ts"
import { cell, program, run } from "./Tool.ts"

const compilers = ["5.9.3", "6.0.3", "7"]

const resolutions: Readonly<Record<string, object>> = {
  bundler: { module: "ESNext", moduleResolution: "bundler" },
  node16: { module: "node16" },
  nodenext: { module: "nodenext" }
}

/** Compiles the library of an app in each cell. */
export const check = (): void => {
  const cwd = App.app("compiler", { "library.ts": library })
  App.install(cwd, App.tarball(), ...App.packages())
  for (const version of compilers) {
    const tsc = program(`typescript@${version}`, "tsc")
    for (const [name, resolution] of Object.entries(resolutions)) {
      for (const exactOptionalPropertyTypes of [true, false]) {
        const compilerOptions = {
          ...resolution,
          target: "ES2024",
          lib: ["ES2024", "DOM"],
          strict: true,
          exactOptionalPropertyTypes,
          skipLibCheck: false,
          declaration: true,
          emitDeclarationOnly: true,
          outDir: "types",
          types: ["node"]
        }
        Fs.writeFileSync(Path.join(cwd, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["library.ts"] }))
        const exact = exactOptionalPropertyTypes ? "exact" : "not exact"
        cell(`TypeScript ${version}, ${name}, ${exact}`, run(cwd, tsc, ["-p", "tsconfig.json"]))
      }
    }
  }
}
