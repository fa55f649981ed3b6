/** The command `manifests`. */
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Flag from "effect/cli/Flag"
import * as Command from "effect/cli/Command"
import * as KubeDiscovery from "../kubernetes/api/KubeDiscovery.ts"
import { CommandFailed } from "./cluster/CommandFailed.ts"
import * as CommandWords from "./CommandWords.ts"
import * as Durations from "./Durations.ts"
import * as Flags from "./Flags.ts"
import * as Manifests from "./manifests/Manifests.ts"
import * as Yaml from "./manifests/Yaml.ts"
import * as Terminal from "./Terminal.ts"

const AppName = Schema.String.check(
  Schema.isPattern(/^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$/, {
    message: "Expected a name of small letters, digits and hyphens, at most 40 long, as Kubernetes names objects"
  })
)

const NotNegative = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0, { message: "Expected 0 or a number above 0" }))

const Positive = Schema.Int.check(Schema.isGreaterThan(0, { message: "Expected a number above 0" }))

const flags = {
  app: Flag.String("app").pipe(
    Flag.withMetavar("<name>"),
    Flag.withDescription("Name of the app: of its account and Deployment, and a part of all other names"),
    Flag.withSchema(AppName)
  ),
  image: Flag.String("image").pipe(
    Flag.withMetavar("<image>"),
    Flag.withDescription("Image of the app. Without it no Deployment is printed"),
    Flag.optional
  ),
  command: Flag.String("command").pipe(
    Flag.withMetavar("<words>"),
    Flag.withDescription('Command of the container, such as "node main.js" (default: what the image runs)'),
    Flag.optional
  ),
  replicas: Flag.Int("replicas").pipe(
    Flag.withDescription("Number of parents"),
    Flag.withSchema(NotNegative),
    Flag.withDefault(1)
  ),
  max: Flag.Int("max").pipe(
    Flag.withDescription(
      "Runners of one parent, at most (default: its share of --total-max, else what the program says)"
    ),
    Flag.withSchema(Positive),
    Flag.optional
  ),
  totalMax: Flag.Int("total-max").pipe(
    Flag.withDescription("Runners of all parents together, at most: a quota on a PriorityClass"),
    Flag.withSchema(Positive),
    Flag.optional
  ),
  drainTimeout: Flag.String("drain-timeout").pipe(
    Flag.withMetavar("<duration>"),
    Flag.withDescription("Time for calls in flight when a parent ends, such as 30s or 5m"),
    Flag.withDefault("30s")
  ),
  key: Flag.Literals("key", ["secret", "env"]).pipe(
    Flag.withDescription("Where runners find their keys: env needs no right to Secrets"),
    Flag.withDefault("secret" as const)
  ),
  port: Flags.port,
  networkPolicy: Flag.Boolean("network-policy").pipe(
    Flag.withDescription(
      "A NetworkPolicy that lets runners dial the port, for a namespace that denies by default. It opens no other port of the parents: where nothing else selects them, it closes the others"
    ),
    Flag.withDefault(false)
  ),
  cpu: Flag.String("cpu").pipe(Flag.withDescription("CPU request of parents and runners"), Flag.withDefault("100m")),
  memory: Flag.String("memory").pipe(
    Flag.withDescription("Memory request and limit of parents and runners"),
    Flag.withDefault("512Mi")
  ),
  json: Flags.json,
  ...Flags.target
}

const noNamespace = (why: string) =>
  new CommandFailed({ status: 2, message: `the manifests name a namespace: set --namespace (${why})` })

/** The namespace of the flag, else of the kubeconfig or the service account. */
const namespaceOf = (target: Flags.Target) =>
  Option.isSome(target.namespace)
    ? Effect.succeed(target.namespace.value)
    : Effect.mapBoth(KubeDiscovery.make(Flags.given({ context: target.context, kubeconfig: target.kubeconfig })), {
        onFailure: ({ detail }) => noNamespace(detail),
        onSuccess: ({ namespace }) => namespace
      })

export const command = Command.make("manifests", flags, ({ context, kubeconfig, namespace, ...own }) =>
  Effect.gen(function* () {
    const { command, image, max, totalMax } = own
    const words = Option.isNone(command) ? Option.none() : Option.some(yield* CommandWords.parse(command.value))
    const objects = Manifests.objects({
      app: own.app,
      namespace: yield* namespaceOf({ context, kubeconfig, namespace }),
      replicas: own.replicas,
      key: own.key,
      port: own.port,
      networkPolicy: own.networkPolicy,
      cpu: own.cpu,
      memory: own.memory,
      drainSeconds: Math.ceil(Duration.toSeconds(yield* Durations.parse("drain-timeout", own.drainTimeout))),
      ...Flags.given({ image, command: words, max, totalMax })
    })
    if (own.json) {
      return yield* Terminal.json({ apiVersion: "v1", kind: "List", items: objects.map(({ object }) => object) })
    }
    yield* Console.log(Yaml.documents(objects).trimEnd())
  })
).pipe(
  Command.withDescription(
    "Print the objects that an app needs in a namespace: account, Role, Deployment, a quota for all parents together, and a NetworkPolicy. Apply them with kubectl."
  ),
  Command.withShortDescription("Print what an app needs in its namespace"),
  Command.withExamples([
    {
      command: "effect-flame manifests --app shop --image registry.example/shop:1.2.3 -n shop | kubectl apply -f -",
      description: "Everything for an app, in a namespace that exists"
    },
    {
      command: "effect-flame manifests --app shop -n shop --total-max 20",
      description: "Account, rights, and a limit on the runners of all parents; no Deployment"
    }
  ])
)
