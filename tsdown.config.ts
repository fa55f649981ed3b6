import { defineConfig } from "tsdown"

// tsdown is pinned at 0.23.4: from 0.23.5 on its plugin for declarations needs the package `yuku`, which cannot be
// installed from the npm registry (404)
const common = { platform: "node", target: "node22.19", fixedExtension: false } as const

/** A file of the program `effect-flame`, which holds all that it needs: an app that installs the library gets no dependency by it. */
const program = (name: string, entry: string) => ({
  ...common,
  entry: { [name]: entry },
  outDir: "dist/bin",
  deps: { alwaysBundle: /./, onlyBundle: false as const },
  outputOptions: { codeSplitting: false },
  minify: true,
  dts: false,
  clean: false
})

/** Imports of modules of Node that take time to load. */
const builtins =
  /^import (?:\* as (\w+)|\{([^}]*)\}) from "(node:(?:tls|https?|net|child_process|zlib|crypto|os|stream))";$/gm

const asNeeded = (_: string, all: string | undefined, some: string, module: string): string =>
  `const ${all ?? `{${some.replaceAll(" as ", ": ")}}`} = process.getBuiltinModule("${module}");`

export default defineConfig([
  {
    ...common,
    entry: ["src/**/*.ts", "!src/cli/**"],
    unbundle: true,
    dts: true,
    sourcemap: true,
    // the package holds src itself
    outputOptions: { sourcemapExcludeSources: true },
    plugins: [
      {
        // each module is compiled alone: otherwise `export * as X` becomes an object of getters, which no bundler of an app
        // can shake, and a door could load more than its source says
        name: "one file per module",
        resolveId: {
          order: "pre",
          handler: (source, importer) =>
            importer !== undefined && /^\.{1,2}\/.*\.ts$/.test(source)
              ? { id: source.replace(/\.ts$/, ".js"), external: true }
              : undefined
        }
      },
      {
        // A bundler of an app hoists the imports of all modules to the top of its file, also those of modules that only a
        // parent loads. Every runner of a one-file bundle would load TLS and HTTP: 50 ms of CPU of its boot.
        name: "Node's modules when they are needed",
        renderChunk: (code, { fileName }) =>
          fileName.endsWith(".js") ? { code: code.replace(builtins, asNeeded), map: null } : undefined
      }
    ]
  },
  program("effect-flame", "src/cli/launch.ts"),
  program("program", "src/cli/main.ts")
])
