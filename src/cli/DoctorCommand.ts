/** The command `doctor`: looks, and runs all checks in their order (`examine`). */
import { readFileSync } from "node:fs"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type { PodOptions } from "../kubernetes/template/PodOptions.ts"
import { Cluster } from "./cluster/Cluster.ts"
import { CommandFailed, printed } from "./cluster/CommandFailed.ts"
import { type Check, unknown } from "./doctor/Check.ts"
import * as Looks from "./doctor/Looks.ts"
import * as ParentChecks from "./doctor/ParentChecks.ts"
import * as ParentVariables from "./doctor/ParentVariables.ts"
import * as Probe from "./doctor/Probe.ts"
import * as ReadParent from "./doctor/ReadParent.ts"
import * as ServerChecks from "./doctor/ServerChecks.ts"
import * as VariableChecks from "./doctor/VariableChecks.ts"
import * as Doctor from "./screen/Doctor.ts"
import * as Durations from "./Durations.ts"
import * as Flags from "./Flags.ts"
import * as Terminal from "./Terminal.ts"

/** The values of the command's own flags. */
export interface Asked extends Looks.DoctorOptions {
  readonly target: string | undefined
  readonly container: string | undefined
  readonly drainTimeout: number
  readonly cancelGrace: number
  /** Whether one real runner is booted. */
  readonly probe: boolean
}

/** Takes checks as they are made. */
export type Report = (checks: ReadonlyArray<Check>) => Effect.Effect<void>

/** Runs all checks, and reports each group as soon as it is ready. */
export const examine = (asked: Asked, report: Report) =>
  Effect.gen(function* () {
    const { client } = yield* Cluster
    const { namespace } = client
    const server = yield* Looks.server
    yield* report(server.checks)
    if (!server.isUsable) return
    const parent = yield* ReadParent.read(asked.target, asked.container).pipe(Effect.catch(ReadParent.checkOf))
    if ("status" in parent) {
      yield* report([ServerChecks.user(server.who, namespace, undefined), parent])
      return
    }
    yield* report([ServerChecks.user(server.who, namespace, parent.account)])
    yield* report(yield* Looks.rights(parent, server.who.name, asked))
    const { checks, made, sample } = yield* Looks.pod(parent, asked)
    yield* report(checks)
    const variables =
      parent.pod === undefined ? { values: process.env, unread: [] } : yield* ParentVariables.read(parent.pod.container)
    const max = asked.max ?? VariableChecks.maxOf(variables.values)
    if (made !== undefined) {
      const looks = [
        Looks.quota(parent, made, max),
        Looks.selectors(parent, made),
        Looks.network(parent, made, asked.port)
      ]
      yield* report((yield* Effect.all(looks, { concurrency: 3 })).flat())
    }
    yield* report(yield* Looks.runners(parent))
    yield* report(ParentChecks.mesh(parent, asked.port))
    yield* report(ParentChecks.grace(parent, asked, namespace))
    yield* report(VariableChecks.checks(variables, parent.workload, namespace))
    if (!asked.probe) return
    const hasImage = parent.pod !== undefined || asked.pod.image !== undefined
    if (sample === undefined || !hasImage) return yield* report([noProbe])
    yield* report(yield* Probe.checks(sample, asked.key).pipe(Terminal.spinning("booting one real runner")))
  })

const noProbe = unknown("probe", "no runner was booted, because no image is known", {
  fix: "name a parent, such as deploy/NAME, or set --image"
})

const flags = {
  target: Argument.String("parent").pipe(
    Argument.withDescription("deploy/NAME, statefulset/NAME or pod/NAME (default: this process)"),
    Argument.optional
  ),
  container: Flag.String("container").pipe(
    Flag.withAlias("c"),
    Flag.withDescription("Container of the parent's pod"),
    Flag.optional
  ),
  image: Flag.String("image").pipe(Flag.withDescription("Image of runners (default: the parent's)"), Flag.optional),
  options: Flag.String("options").pipe(
    Flag.withMetavar("<file>"),
    Flag.withDescription("JSON file with the options of pods that the program gives to its layer"),
    Flag.optional
  ),
  key: Flag.Literals("key", ["secret", "env"]).pipe(
    Flag.withDescription("Where runners find their keys"),
    Flag.withDefault("secret" as const)
  ),
  max: Flag.Int("max").pipe(Flag.withDescription("The pool's max (default: FLAME_MAX of the parent)"), Flag.optional),
  port: Flags.port,
  drainTimeout: Flag.String("drain-timeout").pipe(
    Flag.withMetavar("<duration>"),
    Flag.withDescription("The pool's drainTimeout"),
    Flag.withDefault("30s")
  ),
  cancelGrace: Flag.String("cancel-grace").pipe(
    Flag.withMetavar("<duration>"),
    Flag.withDescription("The pool's cancelGrace"),
    Flag.withDefault("5s")
  ),
  probe: Flag.Boolean("probe").pipe(
    Flag.withDescription("Boot one real runner, show its phases, and delete it"),
    Flag.withDefault(false)
  ),
  fix: Flag.Boolean("fix").pipe(
    Flag.withDescription(
      "Print the manifests that mend what failed, for kubectl apply -f -; the checks go to standard error"
    ),
    Flag.withDefault(false)
  ),
  json: Flags.json,
  ...Flags.target
}

/** Reads the options of pods. */
const optionsOf = (file: string): Effect.Effect<PodOptions, CommandFailed> =>
  Effect.try({
    try: () => JSON.parse(readFileSync(file, "utf8")) as PodOptions,
    catch: (cause) => new CommandFailed({ status: 2, message: `--options ${file}: ${String(cause)}` })
  })

/** Prints the checks: each line at once on a terminal, or one document at the end. */
const run = (asked: Asked, target: Flags.Target, output: "lines" | "json" | "manifest") =>
  Effect.gen(function* () {
    const { columns, paint } = yield* Terminal.Terminal
    const all: Array<Check> = []
    const print = (lines: ReadonlyArray<string>) =>
      output === "lines" ? Terminal.lines(lines) : output === "manifest" ? Terminal.hint(lines.join("\n")) : Effect.void
    const report: Report = (checks) => {
      all.push(...checks)
      return checks.length === 0 ? Effect.void : print(checks.flatMap((check) => Doctor.linesOf(check, paint, columns)))
    }
    const where = yield* Effect.gen(function* () {
      const { client } = yield* Cluster
      yield* examine(asked, report).pipe(Terminal.spinning("looking"))
      return { server: client.server, namespace: client.namespace }
    }).pipe(
      Effect.provide(Flags.clusterOf(target)),
      Effect.catchTag("KubeUnconfigured", (error) =>
        Effect.as(report([ServerChecks.unconfigured(error)]), { server: "", namespace: "" })
      )
    )
    if (output === "json") yield* Terminal.json(Doctor.document(all, where))
    if (output === "lines") yield* Terminal.lines(Doctor.summary(all, paint))
    if (output === "manifest") yield* Console.log(Doctor.manifestOf(all))
    if (Doctor.hasFailed(all)) return yield* Effect.fail(printed)
  })

export const command = Command.make("doctor", flags, ({ context, fix, json, kubeconfig, namespace, ...own }) =>
  Effect.gen(function* () {
    const given = Flags.given({ image: own.image, options: own.options, max: own.max })
    const pod = given.options === undefined ? {} : yield* optionsOf(given.options)
    const asked: Asked = {
      target: Option.getOrUndefined(own.target),
      container: Option.getOrUndefined(own.container),
      key: own.key,
      port: own.port,
      max: given.max,
      pod: { ...pod, ...(given.image === undefined ? {} : { image: given.image }) },
      drainTimeout: Duration.toMillis(yield* Durations.parse("drain-timeout", own.drainTimeout)),
      probe: own.probe,
      cancelGrace: Duration.toMillis(yield* Durations.parse("cancel-grace", own.cancelGrace))
    }
    yield* run(asked, { context, kubeconfig, namespace }, fix ? "manifest" : json ? "json" : "lines")
  })
).pipe(
  Command.withDescription(
    "Check whether the first call will work: cluster, user, rights, a dry run of a runner's pod, quotas, selectors, NetworkPolicies, the parent's grace, variables. Each check is one line and its fix."
  ),
  Command.withShortDescription("Check whether the first call will work"),
  Command.withExamples([
    { command: "effect-flame doctor deploy/shop -n shop", description: "An app in the cluster" },
    {
      command: "effect-flame doctor --image registry.example/shop:1.2.3",
      description: "A program on this machine whose runners are pods"
    },
    { command: "effect-flame doctor deploy/shop --probe", description: "Boot one real runner of the app's image too" },
    { command: "effect-flame doctor deploy/shop --fix | kubectl apply -f -", description: "Grant what is missing" }
  ])
)
