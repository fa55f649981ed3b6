/** The command `build`. */
import { join, relative } from "node:path"
import * as Effect from "effect/Effect"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { bundle, type BuildOptions, type Built } from "../build.ts"
import { CommandFailed } from "./cluster/CommandFailed.ts"
import * as Build from "./screen/Build.ts"
import * as Terminal from "./Terminal.ts"

/** Bundles a program, and prints its files. */
export const build = (entry: string, options: BuildOptions, asJson: boolean) =>
  Effect.gen(function* () {
    const { columns, paint } = yield* Terminal.Terminal
    const built: Built = yield* Effect.mapError(
      bundle(entry, options),
      ({ message }) => new CommandFailed({ status: 1, message })
    ).pipe(Terminal.spinning(`bundling ${entry}`))
    const made: Build.Made = {
      entry: relative(process.cwd(), built.entry),
      files: built.files,
      variables: built.variables(join("/app", options.folder)),
      ...(options.snapshot === true ? { command: built.command(join("/app", options.folder)) } : {})
    }
    yield* asJson ? Terminal.json(Build.document(made)) : Terminal.lines(Build.screen(made, paint, columns))
  })

const flags = {
  entry: Argument.String("entry").pipe(Argument.withDescription("The file of the program, such as main.ts")),
  folder: Flag.String("folder").pipe(
    Flag.withDescription("Folder to write to; files with other names in it stay"),
    Flag.withDefault("dist")
  ),
  external: Flag.String("external").pipe(
    Flag.withMetavar("<package>"),
    Flag.withDescription("A package that the image brings; may be given several times"),
    Flag.atLeast(0)
  ),
  sourceMaps: Flag.Boolean("source-maps").pipe(
    Flag.withDescription("Write source maps, for node --enable-source-maps"),
    Flag.withDefault(false)
  ),
  compileCache: Flag.Boolean("compile-cache").pipe(
    Flag.withDescription("Store compiled code: less than half of the CPU of a boot, on this very version of Node"),
    Flag.withDefault(false)
  ),
  snapshot: Flag.Boolean("snapshot").pipe(
    Flag.withDescription(
      "Store the memory of the loaded program, from which runners start, on this very version of Node"
    ),
    Flag.withDefault(false)
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false))
}

export const command = Command.make(
  "build",
  flags,
  ({ compileCache, entry, external, folder, json, snapshot, sourceMaps }) =>
    build(entry, { folder, external, sourceMaps, compileCache, snapshot }, json)
).pipe(
  Command.withDescription(
    "Bundle a program and what it imports into a few files for an image that needs nothing but Node. Needs the package rolldown."
  ),
  Command.withShortDescription("Bundle a program for an image"),
  Command.withExamples([
    { command: "effect-flame build src/main.ts --folder dist", description: "The files of an image" },
    { command: "effect-flame build src/main.ts --compile-cache", description: "With compiled code, for faster boots" }
  ])
)
