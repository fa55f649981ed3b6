/**
 * A listener for a backend whose runners dial back, because no socketpair reaches them: in a container, or on another
 * machine.
 *
 * Each runner has a key of its own, which admits one session over TLS 1.3. All other connections are refused.
 */
import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as RoleVariables from "../process/RoleVariables.ts"
import * as Listener from "../wire/network/Listener.ts"
import type { Seen } from "../wire/network/Listener.ts"
import * as Psk from "../wire/network/Psk.ts"
import type { Transport } from "../wire/Transport.ts"
import type { RunnerSpec } from "./Backend.ts"

export { ListenFailed, type Seen } from "../wire/network/Listener.ts"

/**
 * Where to listen.
 *
 * @since 0.1.0
 * @category backends
 */
export interface RunnerListenerOptions {
  /** The address to listen on. Default: all addresses of this machine, IPv4 and IPv6. */
  readonly host?: string
  /** The port. Default: any free port. */
  readonly port?: number
}

/**
 * An expected runner, and the variables that turn a process anywhere into this runner.
 *
 * @since 0.1.0
 * @category backends
 */
export interface ExpectedRunner {
  /**
   * The variables of its environment, without its key. `address` is the address of the parent: one or more `host:port`,
   * separated by commas. `report` names a file on the runner's machine, into which it writes why it will not serve, for
   * `reportOf`.
   */
  readonly variables: (address: string, report?: string) => Readonly<Record<string, string>>
  /**
   * The variable with its key. A process that reads the key before the runner has dialled can impersonate the runner.
   */
  readonly key: { readonly name: string; readonly value: Redacted.Redacted<string> }
  /**
   * The byte pipe to the runner, once it has dialled back and proven its key, by two connections to the same address.
   */
  readonly connection: Effect.Effect<Transport>
  /** How far the runner has got, for the hint of a boot that is too slow. `address` is the runner's own, if known. */
  readonly seen: (address?: string) => Seen
}

/**
 * A port for runners.
 *
 * @since 0.1.0
 * @category backends
 */
export interface RunnerListener {
  readonly port: number
  /** Expects one runner until the scope ends, which ends its session too. */
  readonly expect: (spec: RunnerSpec) => Effect.Effect<ExpectedRunner, never, Scope.Scope>
}

/**
 * Listens for runners until its scope ends, which ends their sessions too.
 *
 * @example
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { RunnerListener, type RunnerSpec } from "effect-flame/backend"
 *
 * // in `launch` of a backend, with its RunnerSpec
 * const environment = Effect.fnUntraced(function* (listener: RunnerListener.RunnerListener, spec: RunnerSpec) {
 *   const runner = yield* listener.expect(spec)
 *   return { ...runner.variables(`10.0.0.5:${listener.port}`), [runner.key.name]: Redacted.value(runner.key.value) }
 * })
 * const listener = RunnerListener.make({ port: 9345 })
 * ```
 *
 * @since 0.1.0
 * @category backends
 */
export const make: (
  options?: RunnerListenerOptions
) => Effect.Effect<RunnerListener, Listener.ListenFailed, Scope.Scope> = Effect.fnUntraced(function* (options = {}) {
  const life = randomUUID()
  const { host, port = 0 } = options
  const where = host === undefined ? { port } : { host, port }
  const listener = yield* Listener.make({ ...where, master: Psk.makeMaster(), life })
  let runners = 0
  return {
    port: listener.port,
    expect: (spec) =>
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => listener.expect(++runners)),
          (admission) => Effect.sync(() => admission.revoke())
        ),
        ({ identity, key, seen, transport }) => ({
          variables: (address, report) => ({
            ...RoleVariables.networkVariables(spec, identity, { address }),
            ...(report === undefined ? {} : { [RoleVariables.reportVariable]: report })
          }),
          key: { name: RoleVariables.keyVariable, value: key },
          connection: transport,
          seen
        })
      )
  }
})
