/** [C53] Calls inside of functions on pods: the suite that child processes pass too. */
import { nestedConformance } from "../conformance/nested.ts"
import { onHost } from "./kit/HostParent.ts"
import { kill } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"

const space = Namespaces.ofFile("nested")

nestedConformance("a pod", {
  onPool: (options, body) => onHost(space, { command: ["node", "suites.mjs"], ...options }, body),
  signal: ({ host }, signal) => kill(space.name, host, undefined, signal)
})
