/** The layer under test. */
import type * as Layer from "effect/Layer"
import type { Backend } from "../../../src/backend/Backend.ts"
import type { FlameError } from "../../../src/FlameError.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import type { PodOptions } from "../../../src/kubernetes/PodOptions.ts"
import type { Pool } from "../../../src/pool/Pool.ts"
import type { PoolOptions } from "../../../src/pool/PoolOptions.ts"

/** Options of `FlameLayer.kubernetes` that tests use. */
export interface KubernetesOptions extends PoolOptions, PodOptions {
  readonly kubeconfig?: string
  readonly namespace?: string
  readonly advertise?: string
  readonly port?: number
  readonly key?: "secret" | "env"
  readonly entry?: string
  readonly scheduleTimeout?: string
}

type Make = (options: KubernetesOptions) => Layer.Layer<Pool | Backend, FlameError>

export const kubernetes: Make = (options) =>
  (FlameLayer as unknown as { readonly kubernetes: Make }).kubernetes(options)
