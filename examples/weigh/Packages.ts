/** Finds the packages of a node_modules folder, scoped and nested packages included. */
import { Effect, FileSystem, Path, Schema } from "effect"

/** A package: its folder, and a name for people. */
export interface Package {
  readonly name: string
  readonly folder: string
}

/** The given folder cannot be read. */
export class NoFolder extends Schema.TaggedError<NoFolder>()("NoFolder", {
  folder: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `${this.folder} cannot be read (${this.problem}): give the path of a node_modules folder`
  }
}

/** All packages below a node_modules folder, in the order of their names. */
export const find = Effect.fnUntraced(function* (folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const found: Array<Package> = []
  // a linked package may link back to its origin
  const seen = new Set<string>()

  const visit = (modules: string, owner: string): Effect.Effect<void> =>
    Effect.gen(function* () {
      for (const name of yield* entries(modules)) {
        if (!name.startsWith("@")) yield* add(path.join(modules, name), owner + name)
        else
          for (const own of yield* entries(path.join(modules, name))) {
            yield* add(path.join(modules, name, own), `${owner}${name}/${own}`)
          }
      }
    })

  const add = (folder: string, name: string): Effect.Effect<void> =>
    Effect.gen(function* () {
      // An unreadable package counts too: weighing it reports the problem.
      const real = yield* Effect.orElseSucceed(fs.realPath(folder), () => folder)
      if (seen.has(real)) return
      seen.add(real)
      const info = yield* Effect.option(fs.stat(real))
      if (info._tag === "Some" && info.value.type !== "Directory") return
      found.push({ name, folder })
      yield* visit(path.join(real, "node_modules"), `${name} > `)
    })

  const entries = (directory: string) =>
    Effect.map(
      Effect.orElseSucceed(fs.readDirectory(directory), () => []),
      (names) => names.filter((name) => !name.startsWith(".")).sort()
    )

  yield* Effect.mapError(fs.readDirectory(folder), (error) => new NoFolder({ folder, problem: error.reason._tag }))
  yield* visit(yield* Effect.orDie(fs.realPath(folder)), "")
  return found
})
