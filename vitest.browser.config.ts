import { defineConfig } from "vitest/config"

// these need a browser: `npm run test:browser`
export default defineConfig({
  test: {
    include: ["test/browser/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    allowOnly: false,
    fileParallelism: false
  }
})
