import { afterAll, assert, describe, it } from "@effect/vitest"
import { backendConformance } from "../../src/testing/index.ts"
import * as TcpBackend from "../fixtures/network/TcpBackend.ts"
import { alive, children } from "../fixtures/process/processes.ts"

const running = (program: string) =>
  TcpBackend.layer({ entry: new URL(`../fixtures/conformance/${program}.ts`, import.meta.url) })

const before = children().length

backendConformance("A backend of the network", {
  describe,
  it,
  layer: running("runner"),
  silent: running("silent"),
  ending: running("ending"),
  remains: ({ pid }) => alive([Number(pid)]).length > 0
})

afterAll(() => assert.lengthOf(children(), before, "no process is left"))
