/**
 * The screens that docs/operations.md and docs/command-line.md print, by the renderers of the command line.
 *
 * The values are those of real runs; the renderers decide columns, order, alignment and words.
 */
import * as Effect from "effect/Effect"
import { examine } from "../../../src/cli/DoctorCommand.ts"
import type { Check } from "../../../src/cli/doctor/Check.ts"
import * as ProbeChecks from "../../../src/cli/doctor/ProbeChecks.ts"
import * as RunnerChecks from "../../../src/cli/doctor/RunnerChecks.ts"
import * as Doctor from "../../../src/cli/screen/Doctor.ts"
import * as Explain from "../../../src/cli/screen/Explain.ts"
import * as Gc from "../../../src/cli/screen/Gc.ts"
import * as Logs from "../../../src/cli/screen/Logs.ts"
import * as Ps from "../../../src/cli/screen/Ps.ts"
import { painter } from "../../../src/cli/screen/Style.ts"
import * as Top from "../../../src/cli/screen/Top.ts"
import type { Parent } from "../../../src/cli/status/Parents.ts"
import type { PoolDocument } from "../../../src/status/record/StatusDocument.ts"
import * as Documents from "./Documents.ts"
import * as MemoryCluster from "./MemoryCluster.ts"
import { ago, now } from "./Objects.ts"

const plain = painter(false)

/** Columns of the terminal that the documents show. */
const width = 100

const where = { namespace: "shop", server: "https://10.96.0.1:443", now }

type Runner = PoolDocument["runners"][number]

const runner = (id: string, seconds: number, millis: number | undefined, of: Partial<Runner> = {}): Runner =>
  Documents.runner({
    id,
    age: seconds * 1_000,
    calls: millis === undefined ? 0 : 1,
    running: millis === undefined ? [] : [{ function: "work", since: millis, state: "running" }],
    ...of
  })

const on = (node: string): Partial<Runner> => ({ labels: { node } })
const by = (pid: number): Partial<Runner> => ({ labels: { pid: `${pid}` } })

const pool = (runners: ReadonlyArray<Runner>, of: Partial<PoolDocument> = {}): PoolDocument =>
  Documents.pool({
    pool: "effect-flame/Pool",
    max: 4,
    concurrency: 1,
    ready: runners.length,
    waiting: 0,
    runners,
    ...of
  })

const unschedulable =
  "0/2 nodes are available: 2 Insufficient memory. no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."

/** A pool whose boots wait for memory. */
const waiting = (id: string, seconds: number): PoolDocument => {
  const ids = [0, 1, 2, 3].map((at) => `pool-${id}-${at}`)
  return pool(
    ids.map((each) =>
      runner(each, 0, undefined, { state: "booting", age: undefined, labels: {}, waitsFor: unschedulable })
    ),
    {
      ready: 0,
      booting: 4,
      waiting: 4,
      boots: ids.map((each) => ({ runner: each, at: now, outcome: "booting", took: seconds * 1_000, steps: [] }))
    }
  )
}

const inPod = (name: string, node: string, seconds: number, pools: ReadonlyArray<PoolDocument>): Parent =>
  Documents.parent({
    name,
    view: {
      parent: name,
      name,
      isInCluster: true,
      lives: [],
      pod: {
        metadata: { name, creationTimestamp: ago(seconds) },
        spec: { nodeName: node, containers: [] },
        status: { phase: "Running" }
      },
      runners: []
    },
    document: Documents.document(pools)
  })

/** The parent of the incident, and the one after it. */
const broken = inPod("shop-6d8499bf98-cgb8x", "node1", 44, [waiting("771288cf", 43)])
const mended = inPod("shop-99bcbb8b5-gljkx", "node2", 51, [
  pool([
    runner("pool-269c5694-0", 42, 416, on("node1")),
    runner("pool-269c5694-1", 42, 311, on("node1")),
    runner("pool-269c5694-2", 41, 405, on("node2")),
    runner("pool-269c5694-3", 41, undefined, on("node1"))
  ])
])

/** A program on this machine whose runners are child processes. */
const onMachine: Parent = Documents.parent({
  name: "main.ts (pid 17447)",
  document: {
    ...Documents.document([
      pool([
        runner("pool-49b0fd3f-0", 95, 29, by(17_599)),
        runner("pool-49b0fd3f-1", 96, undefined, by(17_608)),
        runner("pool-49b0fd3f-2", 96, 150, by(17_609)),
        runner("pool-49b0fd3f-3", 96, 12, by(17_616))
      ])
    ]),
    parent: { ...Documents.document().parent, startedAt: now - 120_000 }
  }
})

const ps = (...parents: ReadonlyArray<Parent>): ReadonlyArray<string> => Ps.screen(parents, where, plain, width)

const waits: Check = RunnerChecks.checks(
  [0, 1, 2, 3].map((at) => ({
    metadata: { name: `pool-771288cf-${at}`, creationTimestamp: ago(43) },
    spec: { containers: [{ name: "runner", image: "", resources: { requests: { memory: "500Gi" } } }] },
    status: {
      phase: "Pending",
      conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: unschedulable }]
    }
  })),
  undefined,
  now
)[0]!

const nothingLeft = Gc.screen(
  { gone: [], unsure: [] },
  { isDryRun: true, deleted: [], failed: [] },
  where,
  plain,
  width
)

/** The screens of docs/operations.md, in their order. */
export const operations: ReadonlyArray<ReadonlyArray<string>> = [
  ps(broken),
  [...Doctor.linesOf(waits, plain, width), ...Doctor.summary([waits], plain)],
  [...ps(mended), "", ...nothingLeft]
]

const top = Top.lines(
  [
    {
      name: "shop-99bcbb8b5-gljkx",
      document: {
        ...Documents.document([
          pool(
            [
              runner("pool-269c5694-0", 71, 175, on("node1")),
              runner("pool-269c5694-1", 73, 64, on("node1")),
              runner("pool-269c5694-2", 67, 168, on("node2")),
              runner("pool-269c5694-3", 72, undefined, on("node1"))
            ],
            {
              busySlots: 3,
              functions: [
                { name: "work", calls: 505, failed: 0, interrupted: 0, running: 3, p50: 395, p99: 664 },
                { name: "refuse", calls: 36, failed: 36, interrupted: 0, running: 0, p50: 6, p99: 15_000 }
              ],
              failures: [
                { kind: "call", tag: "Refused", message: "", function: "refuse", count: 36, first: now, at: now - 722 }
              ],
              history: {
                every: 1_000,
                waiting: [],
                busy: [],
                runners: [],
                ended: [7, 8, 6, 8, 8, 7, 8, 8, 7, 7, 6, 8, 8, 8, 9],
                failed: [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
              }
            }
          )
        ]),
        parent: { ...Documents.document().parent, startedAt: now - 92_000 }
      },
      runners: [],
      silence: undefined
    }
  ],
  "namespace shop",
  now,
  plain,
  width
)

const line = (millis: number, of: string, name: string): string =>
  Logs.worded(
    { at: now + millis, runner: `pool-269c5694-${of}`, function: name, level: "Info", message: "works for 400 ms" },
    plain
  )

const explained = Explain.screen(
  [
    {
      function: "work",
      pool: "effect-flame/Pool",
      parent: "shop-99bcbb8b5-x5v9w",
      calls: 184,
      failed: 0,
      mean: 550,
      p50: 408,
      max: 9_900,
      shares: { queued: 2.1, boot: 104, carried: 13, ran: 405, other: 0 },
      booted: 4,
      steps: [
        ["launched", 554],
        ["created", 243],
        ["scheduled", 44],
        ["pulled", 1_200],
        ["importing", 1_900],
        ["imported", 31],
        ["connected", 127],
        ["ready", 18]
      ]
    },
    {
      function: "refuse",
      pool: "effect-flame/Pool",
      parent: "shop-99bcbb8b5-x5v9w",
      calls: 16,
      failed: 16,
      mean: 11,
      p50: 4,
      max: 68,
      shares: { queued: 0, boot: 0, carried: 10, ran: 1, other: 0 },
      booted: 0,
      steps: []
    }
  ],
  plain,
  width
)

const leftover = (kind: "Pod" | "Secret" | "Job", name: string) => ({
  kind,
  name,
  uid: name,
  parent: "ext-c03a994769cbf60f",
  owner: "ana@laptop main.ts (pid 29048)",
  life: "7d228539",
  createdAt: now - 27_000,
  reason: "process 29048 of this machine has ended"
})

const gc = Gc.screen(
  {
    gone: [
      leftover("Pod", "pool-7d228539-0-454be289a7"),
      leftover("Pod", "pool-7d228539-1-d70153aa68"),
      leftover("Secret", "flame-ext-c03a994769cbf60f-a"),
      leftover("Job", "flame-ext-c03a994769cbf60f-48e19c1275")
    ],
    unsure: []
  },
  { isDryRun: true, deleted: [], failed: [] },
  where,
  plain,
  width
)

const labels = { "app.kubernetes.io/name": "shop" }

const deployment = {
  metadata: { name: "shop", labels },
  spec: {
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        serviceAccountName: "shop",
        terminationGracePeriodSeconds: 38,
        containers: [
          {
            name: "shop",
            image: "localhost/shop:1.4.0",
            env: [
              { name: "FLAME_MAX", value: "8" },
              { name: "FLAME_TIMEOUT", value: "soon" }
            ],
            ports: [{ name: "flame", containerPort: 9345 }]
          }
        ]
      }
    }
  }
}

const service = (name: string) => ({ metadata: { name }, spec: { selector: { app: name } } })

const cluster: MemoryCluster.MemoryOptions = {
  objects: {
    deployments: [deployment],
    services: ["web", "till", "stock"].map(service),
    resourcequotas: [{ metadata: { name: "team" }, status: { hard: { pods: "5" }, used: {} } }]
  },
  client: () => ({ server: where.server, user: "admin", whoAmI: Effect.succeed("admin") }),
  may: () => false
}

const probe: ReadonlyArray<Check> = [
  ProbeChecks.booted({
    launched: 121,
    created: 185,
    scheduled: 187,
    pulled: 840,
    importing: 1_081,
    imported: 1_085,
    connected: 1_091,
    ready: 1_098
  }),
  ...ProbeChecks.nodeClock(
    {
      metadata: { creationTimestamp: ago(10) },
      spec: { nodeName: "node2", containers: [] },
      status: { containerStatuses: [{ name: "runner", state: { running: { startedAt: ago(9) } } }] }
    },
    now
  )
]

const doctor = Effect.gen(function* () {
  const found: Array<Check> = []
  yield* Effect.provide(
    examine(
      {
        target: "deploy/shop",
        container: undefined,
        key: "secret",
        port: 9345,
        max: undefined,
        pod: {},
        drainTimeout: 30_000,
        cancelGrace: 5_000,
        probe: false
      },
      (checks) => Effect.sync(() => void found.push(...checks))
    ),
    MemoryCluster.layer(cluster)
  )
  const lines = [...found, ...probe].flatMap((check) => Doctor.linesOf(check, plain, width))
  // The duration of a request in memory tells a reader nothing.
  return lines.map((each) => each.replace(/answers in \d+ m?s/, "answers in 6 ms"))
})

/** The screens of docs/command-line.md, in their order. */
export const commandLine = Effect.map(doctor, (lines): ReadonlyArray<ReadonlyArray<string>> => [
  lines,
  ps(onMachine, broken),
  top,
  [line(47_484, "1", "work"), line(47_489, "2", "work")],
  explained,
  gc
])
