/** The security contexts of a runner: its parent's, restricted further, so that restricted namespaces admit the runner. */
import type { Fields, Json } from "../object/KubeObjects.ts"

type Nested = { readonly [key: string]: Json | undefined }
const nested = (value: Json | undefined): Nested =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Nested) : {}

/** The pod's context, with the runtime's default seccomp profile unless one is set. */
export const ofPod = (context: Fields | undefined, container: Fields | undefined): Fields => ({
  ...context,
  ...(context?.["seccompProfile"] === undefined && container?.["seccompProfile"] === undefined
    ? { seccompProfile: { type: "RuntimeDefault" } }
    : {})
})

/**
 * The container's context, without privilege escalation and capabilities unless they are set.
 *
 * `runAsNonRoot` is never added: an image that runs as root would not start, although the parent's did.
 */
export const ofContainer = (context: Fields | undefined): Fields => {
  const capabilities = nested(context?.["capabilities"])
  const added = Array.isArray(capabilities["add"]) ? capabilities["add"] : []
  // The API server rejects `allowPrivilegeEscalation: false` beside these.
  const mayEscalate =
    context?.["privileged"] === true || added.some((name) => name === "SYS_ADMIN" || name === "CAP_SYS_ADMIN")
  return {
    ...context,
    ...(context?.["allowPrivilegeEscalation"] === undefined && !mayEscalate ? { allowPrivilegeEscalation: false } : {}),
    ...(capabilities["drop"] === undefined && context?.["privileged"] !== true
      ? { capabilities: { ...capabilities, drop: ["ALL"] } }
      : {})
  }
}
