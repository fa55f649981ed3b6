/** Bundles programs for images: one small file per entry, and a chunk for each module that is loaded lazily. */
import { build } from "rolldown"

/** Writes `<name>.mjs` for each entry into a folder. */
export const bundle = async (entries: Readonly<Record<string, string>>, folder: string): Promise<void> => {
  await build({
    input: entries,
    platform: "node",
    // Entries of this repository's examples load src instead of dist.
    resolve: { conditionNames: ["effect-flame-source", "node", "import", "default"] },
    // The Kubernetes client is loaded lazily, and only outside of a cluster. rolldown has a native part, which no bundle can hold.
    external: [/^node:/, /^@kubernetes\//, /^rolldown(\/|$)/],
    logLevel: "silent",
    output: {
      dir: folder,
      format: "esm",
      minify: true,
      entryFileNames: "[name].mjs",
      chunkFileNames: "[name]-[hash].mjs",
      // Without this group the code of a runner is spread over ten files, and one of them may hold code of parents.
      codeSplitting: {
        groups: [{ name: "runner", test: /[\\/](FlameRunner|ConnectParent)\.(ts|js)$/ }]
      }
    }
  })
}
