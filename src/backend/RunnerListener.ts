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
import * as Code from "../code/PreparedCode.ts"
import type { CodeOptions } from "../code/CodeOptions.ts"
import * as RunnerProgram from "../code/RunnerProgram.ts"
import { sendCode } from "../code/SendCode.ts"
import type { BootFailure } from "../error/BootFailure.ts"
import * as BuildName from "../process/BuildName.ts"
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
  /**
   * The code that runners get from this process, so that the machine of a runner needs Node alone: `"sync"` for the program
   * that calls `Flame.main`, or options for another program. Then start each runner by `node` with its `nodeArguments`. Default:
   * the machine has the program.
   */
  readonly code?: "sync" | CodeOptions
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
   * Arguments of Node that make a process a runner which gets its code from this process. `args` are the arguments of the
   * program. Empty without the option `code`.
   */
  readonly nodeArguments: (args?: ReadonlyArray<string>) => ReadonlyArray<string>
  /** The code that the runner gets, for labels: its hash, its size, and how it was made. */
  readonly code: string | undefined
  /**
   * The byte pipe to the runner, once it has dialled back and proven its key, by two connections to the same address, and
   * has its code. Fails with the reason why the code cannot run there.
   */
  readonly connection: Effect.Effect<Transport, BootFailure>
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
  /**
   * Expects one runner until the scope ends, which ends its session too. Fails where the code for runners cannot be made,
   * such as with `CodeUnbundled`.
   */
  readonly expect: (spec: RunnerSpec) => Effect.Effect<ExpectedRunner, BootFailure, Scope.Scope>
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
  const prepared = options.code === undefined ? undefined : Code.prepare(options.code === "sync" ? {} : options.code)
  // begun while the app starts; a failure is that of the first runner
  if (prepared !== undefined) yield* Effect.forkScoped(Effect.ignore(prepared))
  return {
    port: listener.port,
    expect: Effect.fnUntraced(function* (spec) {
      const code = prepared === undefined ? undefined : yield* prepared
      const { identity, key, seen, transport } = yield* Effect.acquireRelease(
        Effect.sync(() => listener.expect(++runners)),
        (admission) => Effect.sync(() => admission.revoke())
      )
      return {
        variables: (address, report) => ({
          ...RoleVariables.networkVariables(spec, identity, { address }),
          ...(report === undefined ? {} : { [RoleVariables.reportVariable]: report }),
          // code in memory has no file that would name its build
          ...(code === undefined ? {} : { FLAME_BUILD: BuildName.of(process.argv[1]) })
        }),
        key: { name: RoleVariables.keyVariable, value: key },
        nodeArguments: (args = []) => (code === undefined ? [] : RunnerProgram.nodeArguments(code, args)),
        code: code === undefined ? undefined : Code.describe(code),
        connection: code === undefined ? transport : Effect.flatMap(transport, (pipe) => sendCode(pipe, code)),
        seen
      }
    })
  }
})
