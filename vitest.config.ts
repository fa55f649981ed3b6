import { configDefaults, defineConfig } from "vitest/config"

// tests of one process and no real time, which share their modules: loading those anew for each file takes longer than to
// run them
const together = [
  "test/*.test.ts",
  "test/{pool,runner,simulation}/**/*.test.ts",
  "test/conformance/{memory,place,rpc,stream}/**/*.test.ts",
  "test/kubernetes/unit/**/*.test.ts",
  "test/wire/**/*.test.ts"
]

// what starts processes, listens, or looks at what a process has registered
const alone = [
  "test/Propagate.test.ts",
  "test/runMain.test.ts",
  "test/backend/**/*.test.ts",
  "test/conformance/*.test.ts",
  "test/conformance/{place,process,rpc,stream}/process*.test.ts",
  "test/conformance/process/**/*.test.ts",
  "test/wire/listener*.test.ts",
  // the tests of examples/testing are what an app's own tests look like
  "examples/**/*.test.ts"
]

// these need a cluster: vitest.kubernetes.config.ts
const elsewhere = [...configDefaults.exclude, "test/kubernetes/cluster/**"]

const shared = { allowOnly: false, testTimeout: 20_000, hookTimeout: 30_000 }

export default defineConfig({
  test: {
    allowOnly: false,
    projects: [
      { test: { ...shared, name: "together", include: together, exclude: [...elsewhere, ...alone], isolate: false } },
      { test: { ...shared, name: "alone", include: alone, exclude: elsewhere } }
    ]
  }
})
