/** Bundles programs of this repository for images, by the door that apps use too. */
import { Effect } from "effect"
import * as Build from "../src/build.ts"

/** src instead of dist, when the entry is one of this repository's own programs. */
const conditions = ["effect-flame-source"]

/** Writes `<name>.mjs` for each entry into a folder. */
export const bundle = async (entries: Readonly<Record<string, string>>, folder: string): Promise<void> => {
  await Effect.runPromise(Build.bundle(entries, { folder, conditions }))
}
