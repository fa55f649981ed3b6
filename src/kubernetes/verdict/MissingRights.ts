/** The cause of a start that the API server refuses: all missing rights at once, with the Role that grants them. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { BootFailure } from "../../error/BootFailure.ts"
import type { KubeClient, Rules } from "../api/KubeClient.ts"
import type { KubeError } from "../api/KubeError.ts"
import * as KubeFailure from "./KubeFailure.ts"
import * as NeededRights from "./NeededRights.ts"

type Client = Context.Service.Shape<typeof KubeClient>

/**
 * The name of this process's user as the API server sees it: a kubeconfig and a token may call the user by another name.
 *
 * Undefined if the API server does not tell and no name is known here.
 */
const userOf = (client: Client): Effect.Effect<string | undefined> =>
  Effect.match(client.whoAmI, {
    onFailure: () => client.user,
    onSuccess: (name) => (name === "" ? client.user : name)
  })

/** Compares the rights with the needs. The API server is asked for the user's name only if a right is missing. */
export const judged = (
  client: Client,
  rules: Rules,
  needs: Omit<NeededRights.RightsNeeded, "namespace" | "user">
): Effect.Effect<NeededRights.RightsVerdict> => {
  const judge = (user: string | undefined) => NeededRights.judge(rules, { ...needs, namespace: client.namespace, user })
  const verdict = judge(client.user)
  return verdict._tag === "Fatal" ? Effect.map(userOf(client), judge) : Effect.succeed(verdict)
}

/**
 * Fails with the cause of a start that an error of the first requests has made fail.
 *
 * A refusal by RBAC names one right only. The cause lists every right that is missing, with the Role to apply.
 */
export const refuse = (
  client: Client,
  needs: Omit<NeededRights.RightsNeeded, "namespace" | "user">,
  error: KubeError
): Effect.Effect<never, BootFailure> => {
  const cause = KubeFailure.causeOf(error)
  if (cause._tag !== "Forbidden" || error.status !== 403) return Effect.fail(cause)
  return Effect.matchEffect(
    Effect.flatMap(client.rulesReview, (rules) => judged(client, rules, needs)),
    {
      onFailure: () => Effect.fail(cause),
      onSuccess: (verdict) => Effect.fail(verdict._tag === "Fatal" ? verdict.cause : cause)
    }
  )
}
