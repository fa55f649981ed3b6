import { afterAll, assert, describe, it } from "@effect/vitest"
import * as ProcessBackend from "../../src/backend/ProcessBackend.ts"
import { backendConformance } from "../../src/testing/index.ts"
import { alive, children } from "../fixtures/process/processes.ts"

const running = (program: string) =>
  ProcessBackend.layer({ entry: new URL(`../fixtures/conformance/${program}.ts`, import.meta.url) })

const before = children().length

backendConformance("ProcessBackend", {
  describe,
  it,
  layer: running("runner"),
  silent: running("silent"),
  ending: running("ending"),
  remains: ({ pid }) => alive([Number(pid)]).length > 0
})

afterAll(() => assert.lengthOf(children(), before, "no process is left"))
