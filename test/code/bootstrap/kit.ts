/**
 * Runners that are processes with nothing but Node: started in an empty folder, with code that comes from this process.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Layer, type Scope } from "effect"
import type { Backend, CodeOptions } from "../../../src/backend.ts"
import { BootFailed, type FlameError } from "../../../src/error/FlameError.ts"
import type { BootFailure } from "../../../src/error/BootFailure.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import * as CommandBackend from "../../../examples/backend/CommandBackend.ts"

/** A file of `test/fixtures/code`. */
export const fixture = (name: string): string => fileURLToPath(new URL(`../../fixtures/code/${name}`, import.meta.url))

/** An empty folder until the scope closes. */
export const emptyFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "flame-nothing-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

export interface FarOptions {
  /** Variables of a runner, in front of those of its role. */
  readonly env?: ReadonlyArray<string>
  /** Changes the arguments of Node. */
  readonly change?: (args: ReadonlyArray<string>) => ReadonlyArray<string>
  readonly node?: string
}

/** A pool whose runners get this code. */
export const pool = (
  code: CodeOptions,
  { change = (args) => args, env = [], node = process.execPath }: FarOptions = {}
): Layer.Layer<Pool | Backend, FlameError> =>
  Layer.unwrap(
    Effect.map(emptyFolder, (folder) =>
      Pool.layer({ max: 1 }).pipe(
        Layer.provideMerge(
          Layer.orDie(
            CommandBackend.layer({
              code,
              command: (_names, args) => ["env", "-C", folder, "NODE_OPTIONS=", ...env, node, ...change(args)]
            })
          )
        )
      )
    )
  )

/** The cause with which a call's boot fails. */
export const bootFailure = <A, R>(call: Effect.Effect<A, FlameError, R>): Effect.Effect<BootFailure, unknown, R> =>
  Effect.flatMap(Effect.flip(call), ({ reason }) =>
    reason instanceof BootFailed ? Effect.succeed(reason.cause) : Effect.die(reason)
  )
