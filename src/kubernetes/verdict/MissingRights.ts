/** What it means that the first requests are refused, which come before it is asked what this process may do. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { BootFailure } from "../../error/BootFailure.ts"
import type { KubeClient } from "../api/KubeClient.ts"
import type { KubeError } from "../api/KubeError.ts"
import * as KubeFailure from "./KubeFailure.ts"
import * as Preflight from "./Preflight.ts"

/**
 * Fails with what an error of theirs means. One for want of rights tells all that are missing, with the Role to apply, and
 * not only the one that was needed first.
 */
export const refuse = (
  client: Context.Service.Shape<typeof KubeClient>,
  needs: Pick<Preflight.RightsNeeded, "key" | "portForward">,
  error: KubeError
): Effect.Effect<never, BootFailure> => {
  const cause = KubeFailure.causeOf(error)
  if (cause._tag !== "Forbidden" || error.status !== 403) return Effect.fail(cause)
  const { namespace, user } = client
  return Effect.matchEffect(client.rulesReview, {
    onFailure: () => Effect.fail(cause),
    onSuccess: (rules) => {
      const verdict = Preflight.judge(rules, { ...needs, secretEnv: false, namespace, user })
      return Effect.fail(verdict._tag === "Fatal" ? verdict.cause : cause)
    }
  })
}
