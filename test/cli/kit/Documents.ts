/** Status documents of parents, with the fields that a test does not care about. */
import type { PoolDocument, StatusDocument } from "../../../src/status/record/StatusDocument.ts"
import type { RunnerState } from "../../../src/cli/cluster/Inventory.ts"
import type { Parent } from "../../../src/cli/status/Parents.ts"
import { now } from "./Objects.ts"

type Call = PoolDocument["calls"][number]

export const call = (of: Partial<Call> = {}): Call => ({
  at: now,
  function: "resize",
  outcome: "succeeded",
  total: 100,
  queued: 10,
  boot: [],
  carried: 5,
  ran: 85,
  ...of
})

export const runner = (of: Partial<PoolDocument["runners"][number]> = {}): PoolDocument["runners"][number] => ({
  id: "app-1",
  state: "ready",
  labels: { node: "node1", pod: "app-1-aa" },
  calls: 1,
  suspended: 0,
  age: 60_000,
  phase: "ready",
  boot: [],
  running: [{ function: "resize", since: 2_000, state: "running" }],
  ...of
})

export const pool = (of: Partial<PoolDocument> = {}): PoolDocument => ({
  pool: "app",
  backend: "kubernetes",
  state: "open",
  min: 0,
  max: 4,
  concurrency: 2,
  booting: 0,
  ready: 1,
  draining: 0,
  busySlots: 1,
  freeSlots: 1,
  suspended: 0,
  waiting: 3,
  leases: 0,
  totals: {
    calls: 10,
    succeeded: 9,
    failed: 1,
    interrupted: 0,
    casts: 0,
    castsFailed: 0,
    boots: 1,
    bootsFailed: 0,
    runnersLost: 0,
    queueMillis: 10,
    runMillis: 100
  },
  runners: [runner()],
  functions: [{ name: "resize", calls: 10, failed: 1, interrupted: 0, running: 1, p50: 80, p99: 200 }],
  failures: [],
  boots: [],
  calls: [],
  history: { every: 1_000, waiting: [0, 0], busy: [1, 1], runners: [1, 1], ended: [4, 6], failed: [0, 1] },
  ...of
})

export const document = (pools: ReadonlyArray<PoolDocument> = [pool()]): StatusDocument => ({
  version: 1,
  at: now,
  parent: { life: "life1", pid: 7, host: "laptop", program: "/app/main.ts", node: "v24.0.0", startedAt: now - 60_000 },
  actions: false,
  pools
})

export const parent = (of: Partial<Parent> = {}): Parent => ({
  name: "shop-1",
  view: undefined,
  document: document(),
  source: undefined,
  silence: undefined,
  ...of
})

/** A runner as its pod shows it. */
export const podRunner = (pod: string, state: RunnerState = "running") => ({
  id: pod,
  pool: "app",
  pod,
  uid: pod,
  life: "life1",
  node: "node1",
  state,
  createdAt: 0
})
