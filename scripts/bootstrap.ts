/**
 * Makes `src/code/BootstrapText.ts` of `src/code/bootstrap`: `node scripts/bootstrap.ts`. A test fails while the text is not
 * that of the sources.
 */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { build } from "rolldown"

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The file that holds the text. */
export const target = here("../src/code/BootstrapText.ts")

/** The text of the bootstrap. */
export const makeText = async (): Promise<string> => {
  const { output } = await build({
    input: here("../src/code/bootstrap/main.ts"),
    platform: "node",
    external: [/^node:/],
    // effect is free of side effects, and nothing of it may get into the text
    treeshake: { moduleSideEffects: false },
    write: false,
    logLevel: "warn",
    output: { format: "cjs", minify: true, exports: "none", strict: true }
  })
  return output[0].code.trim()
}

const moduleOf = (text: string): string =>
  [
    "/**",
    " * The program that a runner starts with, as text: made by `node scripts/bootstrap.ts` of `src/code/bootstrap`. Do not edit.",
    " */",
    `export const bootstrapText: string = ${JSON.stringify(text)}`,
    ""
  ].join("\n")

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(target, moduleOf(await makeText()))
