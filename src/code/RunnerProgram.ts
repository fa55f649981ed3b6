/** The command line of a runner that gets its code from its parent. */
import * as NodeArguments from "../process/NodeArguments.ts"
import { bootstrapText } from "./BootstrapText.ts"
import type { Code } from "./PreparedCode.ts"

/**
 * The arguments after `node`: options of this process's Node that apply on another machine, the bootstrap, the hash of the
 * code, and the arguments of the program.
 */
export const nodeArguments = (code: Pick<Code, "hash">, args: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...NodeArguments.forBundle(process.execArgv),
  "-e",
  bootstrapText,
  code.hash,
  ...args
]

/** The public image with the Node major of this process, and the user in it that is not root. */
export const stockImage = (): { readonly image: string; readonly user: number } => ({
  image: `node:${process.versions.node.split(".", 1)[0]}-slim`,
  user: 1000
})
