/** Pure: each right that the parent needs, and the loss without it. */
import * as NeededRights from "../../kubernetes/verdict/NeededRights.ts"
import { type Check, fail, ok, unknown, warn } from "./Check.ts"

/** Whether the parent has a right. Undefined if it could not be determined. */
export type May = (verb: string, right: NeededRights.Right) => boolean | undefined

const losses: Readonly<Record<string, string>> = {
  pods: "no runner boots",
  secrets: 'set `key: "env"` to do without (and use no `secretEnv`)',
  "pods/portforward": "this machine cannot reach its runners"
}

/** The check of one right. */
const checkOf = (
  right: NeededRights.Right,
  without: string,
  isRequired: boolean,
  may: May,
  manifest: string
): Check => {
  const name = `rights.${right.resource}`
  const words = `${right.resource}: ${right.verbs.join(", ")}`
  const answers = right.verbs.map((verb) => [verb, may(verb, right)] as const)
  const missing = answers.filter(([, answer]) => answer === false).map(([verb]) => verb)
  if (missing.length > 0) {
    const lacks = `${right.resource}: ${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} missing: ${without}`
    return (isRequired ? fail : warn)(name, lacks, { manifest })
  }
  if (answers.some(([, answer]) => answer === undefined)) {
    return unknown(name, `${words}: the API server does not tell`, {
      fix: "run doctor as a user who may create localsubjectaccessreviews, or in the parent's own pod: kubectl exec"
    })
  }
  return ok(name, words)
}

/** All rights that a parent with these features needs, and those that help. */
export const checks = (needs: NeededRights.RightsNeeded, may: May): ReadonlyArray<Check> => {
  const manifest = NeededRights.manifestOf(NeededRights.required(needs), needs)
  return [
    ...NeededRights.required(needs).map((right) =>
      checkOf(right, losses[right.resource] ?? "no runner boots", true, may, manifest)
    ),
    ...NeededRights.helping.map((right) => checkOf(right, right.without, false, may, manifest))
  ]
}

/** Every right that is asked for. */
export const rightsOf = (needs: NeededRights.RightsNeeded): ReadonlyArray<NeededRights.Right> => [
  ...NeededRights.required(needs),
  ...NeededRights.helping
]
