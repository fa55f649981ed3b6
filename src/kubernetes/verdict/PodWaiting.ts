/**
 * The reasons that a kubelet gives for a container that does not start, and the time within which each may heal. Pure.
 */
import { type BootFailure, ImagePull, InvalidSpec } from "../../error/BootFailure.ts"
import { worded } from "./PodFacts.ts"

/** A container that does not start. */
export interface Waiting {
  readonly reason: string
  readonly message: string | undefined
  readonly image: string
  readonly node: string
}

/** The rule for a reason that is more than work in progress. */
export interface WaitingRule {
  /** Milliseconds that the reason may take to heal by itself. */
  readonly grace: (waiting: Waiting) => number
  readonly cause: (waiting: Waiting) => BootFailure
}

/**
 * Milliseconds that a failed pull may take to heal by itself. Registries fail for moments, and the image usually exists: the
 * parent often runs from the same image.
 */
const registryGrace = 25_000

/**
 * Milliseconds that a kubelet may take to learn of a Secret. Until then the kubelet reports the same reason as for a
 * missing Secret, but with one of the messages of `isSlow`. A kubelet tries again after some ten seconds, and the second try
 * may time out too where the Secret was deleted and made again meanwhile.
 */
const syncGrace = 30_000

const isSlow = ({ message = "" }: Waiting): boolean => /context deadline exceeded|failed to sync/.test(message)

const pull = ({ image, message, node, reason }: Waiting): BootFailure =>
  new ImagePull({ image, detail: `${node} says ${worded(reason, message)}` })

const registry: WaitingRule = { grace: () => registryGrace, cause: pull }
const image: WaitingRule = { grace: () => 0, cause: pull }

const container = (what: string, todo: string): WaitingRule => ({
  grace: (waiting) => (isSlow(waiting) ? syncGrace : 0),
  cause: ({ message, node, reason }) =>
    new InvalidSpec({ detail: `${what} on ${node}: ${worded(reason, message)}; ${todo}` })
})

const start = container("its container could not be started", "correct `command`, or what the image runs by itself")

/** Rules by reason. Any other reason is work in progress: `ContainerCreating`, `PodInitializing`. */
export const rules: Readonly<Record<string, WaitingRule>> = {
  ErrImagePull: registry,
  ImagePullBackOff: registry,
  RegistryUnavailable: registry,
  ImageInspectError: registry,
  ErrImageNeverPull: {
    grace: () => 0,
    cause: ({ image, node }) =>
      new ImagePull({
        image,
        detail: `the image is not on ${node}, and \`imagePullPolicy: Never\` forbids pulling it (ErrImageNeverPull)`
      })
  },
  InvalidImageName: image,
  SignatureValidationFailed: image,
  CreateContainerConfigError: container(
    "its container could not be made",
    "create what is missing, or change what asks for it (`env`, `secretEnv`, `podSecurityContext`, `manifest`)"
  ),
  CreateContainerError: container("its container could not be made", "correct what it asks for"),
  RunContainerError: start,
  PostStartHookError: container("its container could not be started", "correct the hook in `manifest`")
}
