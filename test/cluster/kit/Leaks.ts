/**
 * Detects leftovers of a test in its namespace and on this machine: pods, Secrets and processes, counted before and
 * after.
 */
import { readdirSync, readFileSync } from "node:fs"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { until as eventually } from "../../fixtures/conformance-process/patience.ts"
import { type KubeObject, until } from "./Api.ts"
import { collection, list } from "./Cluster.ts"

/** The names of existing objects. */
export interface Census {
  readonly pods: ReadonlyArray<string>
  readonly secrets: ReadonlyArray<string>
  /** Processes in pods of the namespace, by pid and command. */
  readonly processes: ReadonlyArray<string>
}

/** A variable in the environment of every pod of a test, which identifies the pod's processes. */
export const mark = "FLAME_TEST_NAMESPACE"

const read = (file: string): string => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
}

/** Whether a process was started with a variable, given as NAME=VALUE. */
const has = (pid: number | string, variable: string): boolean =>
  `\0${read(`/proc/${pid}/environ`)}`.includes(`\0${variable}\0`)

/**
 * The processes of a namespace's pods, which are visible because the kubelet runs on this machine too. `variable` as
 * NAME=VALUE selects the processes of one pod or container.
 */
export const processes = (namespace: string, variable?: string): ReadonlyArray<string> =>
  readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && has(pid, `${mark}=${namespace}`))
    .filter((pid) => variable === undefined || has(pid, variable))
    .map((pid) => `${pid} ${read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim()}`)

const names = (objects: ReadonlyArray<KubeObject>): ReadonlyArray<string> =>
  objects.map(({ metadata }) => metadata.name as string).toSorted()

export const census = (namespace: string): Effect.Effect<Census> =>
  Effect.gen(function* () {
    return {
      pods: names(yield* list(namespace, "pods")),
      secrets: names(yield* list(namespace, "secrets")),
      processes: processes(namespace)
    }
  })

const added = (before: ReadonlyArray<string>, now: ReadonlyArray<string>) =>
  now.filter((name) => !before.includes(name))

/** Waits until no new object or process is left. Fails with the names of those that stay. */
const settled = (namespace: string, before: Census, limit: number | undefined): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const resource of ["pods", "secrets"] as const) {
      yield* until(
        collection(namespace, resource),
        {},
        (objects) => added(before[resource], names(objects)).length === 0,
        `no ${resource} are left behind`,
        limit
      )
    }
    const left = () => added(before.processes, processes(namespace))
    yield* eventually(() => left().length === 0, `no processes are left behind in pods of ${namespace}`)
    assert.deepStrictEqual(left(), [])
  })

/**
 * Runs a test in its namespace. If the test passes, fails it for objects and processes that are left `limit` after its
 * Scope has closed.
 */
export const leavesNothing = <A, E>(
  namespace: string,
  effect: Effect.Effect<A, E, Scope.Scope>,
  limit?: number
): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    const before = yield* census(namespace)
    const exit = yield* Effect.exit(Effect.scoped(effect))
    // A failed test reports its failure, not its leftovers.
    if (Exit.isSuccess(exit)) yield* settled(namespace, before, limit)
    return yield* exit
  })

/**
 * Sends a signal, by default SIGKILL, to the program of a pod. Sent from the machine, because process 1 of a container
 * gets no SIGKILL from inside. `variable` as NAME=VALUE selects a container of the pod.
 */
export const kill = (
  namespace: string,
  pod: string,
  variable?: string,
  signal: "SIGKILL" | "SIGTERM" = "SIGKILL"
): Effect.Effect<void> =>
  Effect.map(
    eventually(
      () =>
        processes(namespace, `HOSTNAME=${pod}`)
          .map((line) => Number(line.split(" ")[0]))
          .find((pid) => variable === undefined || has(pid, variable)),
      `a process of pod ${pod} runs`
    ),
    (pid) => void process.kill(pid, signal)
  )
