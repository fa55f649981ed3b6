import { afterAll, assert, describe, it } from "@effect/vitest"
import * as ProcessBackend from "../../src/backend/ProcessBackend.ts"
import { backendConformance } from "../../src/testing/index.ts"
import { bundled } from "../fixtures/bundled.ts"
import { alive, children } from "../fixtures/process/processes.ts"

const running = async (program: string) =>
  ProcessBackend.layer({ entry: await bundled(new URL(`../fixtures/conformance/${program}.ts`, import.meta.url)) })

const before = children().length

backendConformance("ProcessBackend", {
  describe,
  it,
  layer: await running("runner"),
  silent: await running("silent"),
  ending: await running("ending"),
  limit: 60_000,
  remains: ({ pid }) => alive([Number(pid)]).length > 0
})

afterAll(() => assert.lengthOf(children(), before, "no process is left"))
