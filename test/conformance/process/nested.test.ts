import * as Effect from "effect/Effect"
import { onPool } from "../../fixtures/conformance-process/harness.ts"
import { nestedConformance } from "../nested.ts"

nestedConformance("a child process", {
  onPool,
  signal: ({ pid }, signal) => Effect.sync(() => void process.kill(pid, signal))
})
