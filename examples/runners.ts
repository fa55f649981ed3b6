/** The layer of an example: runners are child processes, or pods of an image with `--kubernetes IMAGE`. */
import { parseArgs } from "node:util"
import type { Layer } from "effect"
import { type Backend, type FlameError, FlameLayer, type Pool } from "effect-flame"

/** Flags of the command line that all examples share. */
export const flags = { kubernetes: { type: "string" } } as const

const { values } = parseArgs({ options: flags, strict: false })

/**
 * Makes the layer. Pods are created with the kubeconfig of the user who starts the example, and reached through the API
 * server, so that no pod has to reach this machine.
 */
export const runners = (options: FlameLayer.LocalOptions): Layer.Layer<Pool | Backend, FlameError.FlameError> =>
  typeof values.kubernetes === "string"
    ? FlameLayer.kubernetes({ image: values.kubernetes, command: ["node", "main.mjs"], ...options })
    : FlameLayer.auto(options)
