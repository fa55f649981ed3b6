import { configDefaults, defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    // the tests of examples/testing are what an app's own tests look like
    include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
    // these need a cluster: vitest.kubernetes.config.ts
    exclude: [...configDefaults.exclude, "test/kubernetes/cluster/**"],
    allowOnly: false,
    testTimeout: 20_000,
    hookTimeout: 30_000
  }
})
