/** A parent outside of the cluster: this process, which pods can dial, with the kubeconfig of an account. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { inject } from "vitest"
import type { Backend } from "../../../src/backend/Backend.ts"
import type { FlameError } from "../../../src/error/FlameError.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { stageVariable } from "../../fixtures/conformance-process/actor.ts"
import { Log, type Scene, watch } from "../../fixtures/conformance-process/harness.ts"
import * as Stage from "../../fixtures/conformance-process/stage.ts"
import type { KubeObject } from "./Api.ts"
import { pods } from "./Cluster.ts"
import { leavesNothing, mark } from "./Leaks.ts"
import { account, type Namespace, type roles, token } from "./Namespaces.ts"

/** The address of this machine for pods. */
export const host = "10.244.0.1"

export const runnerLabel = "flame.dev/role=runner"

/** A port that is free. */
export const freePort: Effect.Effect<number> = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** The kubeconfig of an account in a namespace, until the Scope closes. */
export const kubeconfig = (
  namespace: string,
  rights: keyof typeof roles = "full"
): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "flame-kubeconfig-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    )
    const { ca, server } = inject("cluster").access
    const file = join(folder, "config")
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server, "certificate-authority-data": Buffer.from(ca).toString("base64") } }],
      users: [{ name: "u", user: { token: yield* token(namespace, account(rights)) } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace } }],
      "current-context": "x"
    }
    yield* Effect.sync(() => writeFileSync(file, JSON.stringify(config), { mode: 0o600 }))
    return file
  })

/** The scene of a test whose parent is this process. */
export interface HostScene extends Scene {
  /** The namespace. */
  readonly space: string
  /** Waits until a condition holds for the runners' pods. */
  readonly runners: <A>(
    look: (pods: ReadonlyArray<KubeObject>) => A | undefined | false,
    what: string
  ) => Effect.Effect<A>
}

/**
 * Options of the layer, and the rights of its account. With `forward` the parent dials runners through the API server.
 */
export interface HostOptions extends FlameLayer.KubernetesOptions {
  readonly rights?: keyof typeof roles
}

const quick = { max: 1, cancelGrace: "1 second", drainTimeout: "5 seconds" } as const

/** Runs a test on a pool of pods whose parent is this process, and closes the pool. */
export const inPool = <A, E>(
  space: Namespace,
  options: HostOptions,
  body: (scene: HostScene) => Effect.Effect<A, E, Pool | Backend | Scope.Scope>
): Effect.Effect<A, E | FlameError, Scope.Scope> =>
  Effect.gen(function* () {
    const stage = yield* Stage.makeFor(host)
    const log = new Log()
    const { rights, ...given } = options
    const file = options.kubeconfig ?? (yield* kubeconfig(space.name, rights))
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const layer = FlameLayer.kubernetes({
      kubeconfig: file,
      namespace: space.name,
      // Test files run concurrently on one machine.
      ...(rights === "forward" ? {} : { port: yield* freePort, advertise: host }),
      entry: space.name,
      // code that is sent needs no image of its own
      ...(given.code === undefined ? { image: inject("cluster").images.app, command: ["node", "runner.mjs"] } : {}),
      resources: { requests: { cpu: "20m", memory: "64Mi" }, limits: { memory: "192Mi" } },
      ...quick,
      ...given,
      env: { [mark]: space.name, [stageVariable]: stage.path, ...options.env }
    })
    const context = yield* Layer.buildWithScope(layer, scope).pipe(Effect.provide(log.layer))
    const pool = Context.get(context, Pool)
    const events = yield* watch(pool)
    const close = Scope.close(scope, Exit.void)
    const runners: HostScene["runners"] = (look, what) => pods(space.name, runnerLabel, look, what)
    return yield* Effect.provideContext(body({ pool, events, log, stage, close, space: space.name, runners }), context)
  })

/** Like `inPool`, and checks that nothing is left in the namespace. */
export const onHost = <A, E>(
  space: Namespace,
  options: HostOptions,
  body: (scene: HostScene) => Effect.Effect<A, E, Pool | Backend | Scope.Scope>
): Effect.Effect<A, E | FlameError> => Effect.suspend(() => leavesNothing(space.name, inPool(space, options, body)))
