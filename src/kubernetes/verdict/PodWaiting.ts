/** What a kubelet gives as the reason why a container does not start, and what becomes of it. */
import { type BootFailure, ImagePull, InvalidSpec } from "../../error/BootFailure.ts"
import { worded } from "./PodFacts.ts"

export interface Waiting {
  readonly reason: string
  readonly message: string | undefined
  readonly image: string
  readonly node: string
}

/** A reason that is not just work in progress. */
export interface WaitingRule {
  /** How long it may heal by itself, in milliseconds. */
  readonly grace: (waiting: Waiting) => number
  readonly cause: (waiting: Waiting) => BootFailure
}

/** Registries fail for moments, and this very image was pulled for the parent. */
const registryGrace = 25_000

/** A kubelet that is slow to learn of a Secret says the same as for a missing one, but for its words. */
const syncGrace = 10_000

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

/** By reason. Any other one is work in progress: `ContainerCreating`, `PodInitializing`. */
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
        detail: `it is not on ${node}, and \`imagePullPolicy: Never\` forbids to pull it (ErrImageNeverPull)`
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
