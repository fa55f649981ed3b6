/** Bundles programs for images: one small file per entry, chunks for what is loaded lazily. */
import { build } from "rolldown"

/** Writes `<name>.mjs` for each entry into a folder. */
export const bundle = async (entries: Readonly<Record<string, string>>, folder: string): Promise<void> => {
  await build({
    input: entries,
    platform: "node",
    // src instead of dist, when the entry is one of this repository's own examples
    resolve: { conditionNames: ["effect-flame-source", "node", "import", "default"] },
    // loaded lazily, outside of a cluster only; rolldown has a native part
    external: [/^node:/, /^@kubernetes\//, /^rolldown(\/|$)/],
    logLevel: "silent",
    output: {
      dir: folder,
      format: "esm",
      minify: true,
      entryFileNames: "[name].mjs",
      chunkFileNames: "[name]-[hash].mjs",
      // Otherwise the code of a runner is spread over ten files, and code of parents may get into one of them.
      codeSplitting: {
        groups: [{ name: "runner", test: /[\\/](FlameRunner|ConnectParent)\.(ts|js)$/ }]
      }
    }
  })
}
