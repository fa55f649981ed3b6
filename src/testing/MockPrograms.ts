/**
 * The programs in the pods of `KubeMock`: runners in this process, which connect to their parent as real ones do, by
 * TLS over the loopback.
 */
import { type AddressInfo, connect, createServer } from "node:net"
import type { Duplex } from "node:stream"
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { AnyImplemented } from "../function/FlameFunction.ts"
import type { Pod, Secret } from "../kubernetes/object/KubeObjects.ts"
import { containerName } from "../kubernetes/template/PodTemplate.ts"
import { prefix, type RoleVariable } from "../process/RoleVariables.ts"
import { LogForward } from "../runner/LogForward.ts"
import { RunnerServer } from "../runner/RunnerServer.ts"
import { awaitParent } from "../wire/network/AwaitParent.ts"
import { dialParent } from "../wire/network/DialParent.ts"
import type { Transport } from "../wire/Transport.ts"

/** Milliseconds that a program tries to reach its parent. */
const patience = 30_000

interface Program {
  server: RunnerServer | undefined
  transport: Transport | undefined
  /** The port on which the program waits for its parent. Undefined if the program dials. */
  readonly port: Deferred.Deferred<number>
  readonly abort: AbortController
}

export class MockPrograms {
  private readonly programs = new Map<string, Program>()
  private readonly functions: ReadonlyArray<AnyImplemented>
  private readonly context: Context.Context<never>
  private readonly secret: (name: string) => Secret | undefined

  constructor(
    functions: ReadonlyArray<AnyImplemented>,
    /** The services of the functions. */
    context: Context.Context<never>,
    secret: (name: string) => Secret | undefined
  ) {
    this.functions = functions
    this.context = context
    this.secret = secret
  }

  /** Starts the program of a pod once, if it is a runner. `ended` runs when the program exits by itself. */
  start(pod: Pod, ended: Effect.Effect<void>): void {
    const uid = pod.metadata.uid ?? ""
    if (this.functions.length === 0 || this.programs.has(uid) || variable(pod, "ID") === undefined) return
    const program: Program = {
      server: undefined,
      transport: undefined,
      port: Deferred.makeUnsafe(),
      abort: new AbortController()
    }
    this.programs.set(uid, program)
    const serving = Effect.flatMap(
      Effect.promise(() => this.connect(pod, program)),
      (transport) => {
        program.transport = transport
        const server = this.serverOf(pod, transport)
        program.server = server
        server.start()
        return Effect.andThen(Effect.exit(Deferred.await(server.done)), ended)
      }
    )
    // A program that was killed while it connected reports nothing.
    Effect.runForkWith(this.context)(Effect.ignoreCause(serving))
  }

  /** Handles SIGTERM: the program ends its calls and leaves. */
  terminate(uid: string): void {
    this.programs.get(uid)?.server?.drain()
  }

  /** Handles SIGKILL: the connection of the program ends at once. */
  kill(uid: string): void {
    const program = this.programs.get(uid)
    this.programs.delete(uid)
    program?.abort.abort()
    program?.transport?.destroy()
  }

  /** Connects to a program that waits for its parent. Undefined if there is none. */
  connectTo(uid: string): Effect.Effect<Duplex> | undefined {
    const program = this.programs.get(uid)
    return program === undefined
      ? undefined
      : Effect.map(Deferred.await(program.port), (port) => connect(port, "127.0.0.1"))
  }

  private async connect(pod: Pod, program: Program): Promise<Transport> {
    const key = Redacted.make(this.keyOf(pod))
    const identity = variable(pod, "IDENTITY") ?? ""
    const addresses = variable(pod, "ADDRESS")
    const { signal } = program.abort
    if (addresses !== undefined) return dialParent({ addresses, identity, key, patience }, signal)
    const port = await freePort()
    const waiting = awaitParent({ port, identity, key, patience }, signal)
    Deferred.doneUnsafe(program.port, Effect.succeed(port))
    return waiting
  }

  private serverOf(pod: Pod, transport: Transport): RunnerServer {
    const logs = new LogForward()
    return new RunnerServer({
      transport,
      info: { id: variable(pod, "ID") ?? "", pool: variable(pod, "POOL") ?? "", parent: "this process" },
      life: variable(pod, "LIFE") ?? "",
      build: "test",
      functions: this.functions,
      context: logs.instead(this.context),
      logs
    })
  }

  private keyOf(pod: Pod): string {
    const reference = variableOf(pod, "KEY")?.valueFrom?.["secretKeyRef"] as
      | { readonly name: string; readonly key: string }
      | undefined
    return (
      variable(pod, "KEY") ??
      (reference === undefined ? "" : (this.secret(reference.name)?.stringData?.[reference.key] ?? ""))
    )
  }
}

const variableOf = (pod: Pod, name: RoleVariable) =>
  pod.spec.containers.find(({ name }) => name === containerName)?.env?.find((each) => each.name === prefix + name)

const variable = (pod: Pod, name: RoleVariable): string | undefined => variableOf(pod, name)?.value

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
    server.once("error", reject)
  })
