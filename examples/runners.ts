/** Where the runners of an example are: child processes, or with `--kubernetes IMAGE` pods of that image. */
import { parseArgs } from "node:util"
import type { Layer } from "effect"
import { type Backend, type FlameError, FlameLayer, type Pool } from "effect-flame"

/** Of the command line; an example's own flags stand beside it. */
export const flags = { kubernetes: { type: "string" } } as const

const { values } = parseArgs({ options: flags, strict: false })

/**
 * The layer that an example provides. Pods are made by the kubeconfig of whoever starts it, and reached through the API
 * server, so that nothing has to reach this machine.
 */
export const runners = (options: FlameLayer.LocalOptions): Layer.Layer<Pool | Backend, FlameError.FlameError> =>
  typeof values.kubernetes === "string"
    ? FlameLayer.kubernetes({ image: values.kubernetes, command: ["node", "main.mjs"], ...options })
    : FlameLayer.auto(options)
