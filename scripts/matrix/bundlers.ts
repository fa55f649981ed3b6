/**
 * Bundles of an app in one file by every bundler: under 2 MB, without the client of Kubernetes, and with runners that cost at
 * most 1.3 times what runners of a thin entry cost. Both entries import the same functions: what a bundler keeps of the
 * packages that functions import is no cost of the role of a parent.
 */
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as App from "./App.ts"
import { files, limit } from "./Bundle.ts"
import { cell, home, run, type Said } from "./Tool.ts"

const mostCost = 1.3
const pairs = 20

interface Bundler {
  readonly name: string
  readonly packages: ReadonlyArray<string>
  readonly program: string
  /** Arguments that bundle `entry` into `out`. */
  readonly args: (entry: string, out: string) => ReadonlyArray<string>
  readonly files?: (entry: string, out: string) => Readonly<Record<string, string>>
}

const bundlers: ReadonlyArray<Bundler> = [
  {
    name: "rolldown",
    packages: ["rolldown@1"],
    program: "rolldown",
    args: () => ["-c", "rolldown.config.mjs"],
    files: (entry, out) => ({
      "rolldown.config.mjs": `export default { input: "${entry}", platform: "node", output: { file: "${out}", codeSplitting: false } }`
    })
  },
  {
    name: "esbuild",
    packages: ["esbuild@0.28"],
    program: "esbuild",
    args: (entry, out) => [
      entry,
      "--bundle",
      "--platform=node",
      "--format=esm",
      `--outfile=${out}`,
      "--external:@kubernetes/client-node"
    ]
  },
  {
    name: "vite",
    packages: ["vite@8"],
    program: "vite",
    args: () => ["build", "--logLevel", "warn"],
    files: (entry, out) => ({
      "vite.config.mjs": `export default {
        build: { ssr: "${entry}", outDir: ".", emptyOutDir: false, minify: false, target: "node22",
          rollupOptions: { output: { entryFileNames: "${out}", codeSplitting: false } } },
        ssr: { noExternal: true }
      }`
    })
  },
  {
    name: "webpack",
    packages: ["webpack@5", "webpack-cli@7"],
    program: "webpack",
    args: () => ["-c", "webpack.config.mjs"],
    files: (entry, out) => ({
      "webpack.config.mjs": `import webpack from "${home("webpack@5", "webpack-cli@7")}/node_modules/webpack/lib/index.js"
        export default { mode: "production", target: "node22", entry: "./${entry}", experiments: { outputModule: true },
          output: { path: import.meta.dirname, filename: "${out}", module: true, chunkFormat: "module" },
          plugins: [new webpack.optimize.LimitChunkCountPlugin({ maxChunks: 1 })] }`
    })
  },
  {
    name: "tsdown",
    packages: ["tsdown@0.23"],
    program: "tsdown",
    args: () => ["-c", "tsdown.config.mjs"],
    files: (entry, out) => ({
      "tsdown.config.mjs": `export default { entry: { "${Path.parse(out).name}": "${entry}" }, outDir: ".", clean: false,
        format: "esm", platform: "node", dts: false, deps: { alwaysBundle: [/.*/] }, outputOptions: { codeSplitting: false } }`
    })
  },
  {
    name: "bun",
    packages: ["bun@1"],
    program: "bun",
    args: (entry, out) => ["build", entry, "--target=node", `--outfile=${out}`, "--external", "@kubernetes/client-node"]
  }
]

/** Bundles an entry. */
const bundle = (cwd: string, bundler: Bundler, entry: string, out: string): Said => {
  for (const [file, text] of Object.entries(bundler.files?.(entry, out) ?? {})) {
    Fs.writeFileSync(Path.join(cwd, file), text)
  }
  return run(cwd, Path.join(home(...bundler.packages), "node_modules/.bin", bundler.program), bundler.args(entry, out))
}

interface Usage {
  readonly cpu: number
  readonly rss: number
}

interface Pair {
  readonly whole: Usage
  readonly thin: Usage
}

/**
 * Runners of the bundle and of the thin entry: CPU in milliseconds, memory in MiB. They boot in turns, so that other programs
 * of the machine cost both alike.
 */
const pairsOf = (cwd: string): ReadonlyArray<Pair> | Said => {
  const said = run(cwd, process.execPath, ["app.mjs"], { THIN: Path.join(cwd, "thin.mjs"), PAIRS: String(pairs + 1) })
  const line = said.text.split("\n").find((each) => each.startsWith("[{"))
  // the first pair has cold caches of the file system
  return said.ok && line !== undefined ? JSON.parse(line).slice(1) : said
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

const checkBundler = (cwd: string, bundler: Bundler): Said & { readonly figures?: string } => {
  for (const [entry, out] of [
    ["main.mjs", "app.mjs"],
    ["thin.mjs", "thin-app.mjs"]
  ] as const) {
    const said = bundle(cwd, bundler, entry, out)
    if (!said.ok || !Fs.existsSync(Path.join(cwd, out))) return { ok: false, text: `no ${out}\n${said.text}` }
  }
  const text = Fs.readFileSync(Path.join(cwd, "app.mjs"), "utf8")
  // a bundle alone in a folder has no packages to fall back on
  const alone = App.app("alone", {
    "app.mjs": text,
    "thin.mjs": Fs.readFileSync(Path.join(cwd, "thin-app.mjs"), "utf8")
  })
  const measured = pairsOf(alone)
  if ("ok" in measured) return { ok: false, text: `the bundle does not run\n${measured.text}` }
  const cpu = median(measured.map(({ thin, whole }) => whole.cpu / thin.cpu))
  const rss = median(measured.map(({ thin, whole }) => whole.rss / thin.rss))
  const of = (usage: (pair: Pair) => number) => Math.round(median(measured.map(usage)))
  const figures = `${Math.round(text.length / 1000)} kB; a runner ${of(({ whole }) => whole.cpu)} ms and ${of(({ whole }) => whole.rss)} MiB, ${cpu.toFixed(2)}x and ${rss.toFixed(2)}x of a thin entry`
  const problems = [
    ...(text.length < limit ? [] : [`${text.length} bytes, the limit is ${limit}`]),
    ...(/class KubeConfig|loadFromDefault\(/.test(text) ? ["the client of Kubernetes is in the bundle"] : []),
    ...(Math.max(cpu, rss) <= mostCost ? [] : [`a runner costs more than ${mostCost} times a thin one`])
  ]
  return { ok: problems.length === 0, text: problems.join("\n"), figures }
}

/** Tries each bundler. */
export const check = (): void => {
  const packed = App.tarball()
  for (const bundler of bundlers) {
    const cwd = App.app("bundler", files)
    // the client is there, so that a bundler could take it along
    const client = `@kubernetes/client-node@${App.versionOf("@kubernetes/client-node")}`
    App.install(cwd, packed, ...App.packages(), client)
    const { figures, ...said } = checkBundler(cwd, bundler)
    cell(bundler.name, said, figures)
  }
}
