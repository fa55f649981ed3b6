import { readFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"

// tests of one process and no real time
const memory = [
  "test/*.test.ts",
  "test/{call,cli,error,function,kubernetes,pool,process,runner,schema,simulation,stack,status,testing,values,wire}/**/*.test.ts",
  "test/conformance/{memory,place,rpc,stream}/**/*.test.ts"
]

// Tests that start processes or listen. They count the handles of their own process, so no other test may run in it.
const processes = [
  "test/{build,docs,language,runMain,FlameMain}.test.ts",
  "test/backend/**/*.test.ts",
  "test/code/**/*.test.ts",
  "test/conformance/*.test.ts",
  "test/conformance/{place,process,rpc,stream}/process*.test.ts",
  "test/conformance/process/**/*.test.ts",
  "test/values/process*.test.ts",
  "test/status/{FlameStatus,StatusRoutes}.test.ts",
  "test/wire/network/**/*.test.ts",
  "test/hostile/**/*.test.ts",
  // the tests of examples/testing are like an app's own tests
  "examples/**/*.test.ts"
]

// tests of a process in which nothing is registered yet
const alone = ["test/function/Propagate.test.ts"]

// these need a cluster: vitest.kubernetes.config.ts
const elsewhere = [...configDefaults.exclude, "test/cluster/**"]

// Examples import `effect-flame` as an app does. The tests run them on src: in this process by an alias, in the processes
// that they start by a condition of package.json's exports.
const condition = "effect-flame-source"
const { exports } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"))
const alias = Object.entries<Record<string, string>>(exports).flatMap(([door, { [condition]: file }]) =>
  file === undefined
    ? []
    : [
        {
          find: new RegExp(`^effect-flame${door.slice(1)}$`),
          replacement: fileURLToPath(new URL(file, import.meta.url))
        }
      ]
)

const shared = {
  allowOnly: false,
  // They end tests that hang. Tests that hold a bound assert it themselves.
  testTimeout: 120_000,
  hookTimeout: 120_000,
  // loading the modules for each file takes longer than running most files
  isolate: false,
  // for all processes of the tests: compiling the same modules again is half of a boot
  env: {
    NODE_COMPILE_CACHE: fileURLToPath(new URL(".cache/compiled", import.meta.url)),
    NODE_OPTIONS: `${process.env["NODE_OPTIONS"] ?? ""} --conditions=${condition}`.trim()
  }
}

export default defineConfig({
  test: {
    allowOnly: false,
    // Two more than compute at a time, because tests of processes wait for half of their time.
    maxWorkers: availableParallelism() + 2,
    projects: [
      {
        resolve: { alias },
        test: { ...shared, name: "memory", include: memory, exclude: [...elsewhere, ...processes, ...alone] }
      },
      { resolve: { alias }, test: { ...shared, name: "processes", include: processes, exclude: elsewhere } },
      { resolve: { alias }, test: { ...shared, name: "alone", include: alone, exclude: elsewhere, isolate: true } }
    ]
  }
})
