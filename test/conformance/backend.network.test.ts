import { afterAll, assert, describe, it } from "@effect/vitest"
import { backendConformance } from "../../src/testing/index.ts"
import * as TcpBackend from "../fixtures/network/TcpBackend.ts"
import { bundled } from "../fixtures/bundled.ts"
import { alive, children } from "../fixtures/process/processes.ts"

const running = async (program: string) =>
  TcpBackend.layer({ entry: await bundled(new URL(`../fixtures/conformance/${program}.ts`, import.meta.url)) })

const before = children().length

backendConformance("A backend of the network", {
  describe,
  it,
  layer: await running("runner"),
  silent: await running("silent"),
  ending: await running("ending"),
  limit: 60_000,
  remains: ({ pid }) => alive([Number(pid)]).length > 0
})

afterAll(() => assert.lengthOf(children(), before, "no process is left"))
