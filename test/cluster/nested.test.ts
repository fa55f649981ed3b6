/** [C53] Runs the suite for calls inside functions, which child processes pass too, on pods. */
import { nestedConformance } from "../conformance/nested.ts"
import { onHost } from "./kit/HostParent.ts"
import { kill } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"

const space = Namespaces.ofFile("nested")

nestedConformance("a pod", {
  onPool: (options, body) => onHost(space, { command: ["node", "suites.mjs"], ...options }, body),
  signal: ({ host }, signal) => kill(space.name, host, undefined, signal)
})
