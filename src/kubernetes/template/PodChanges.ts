/** Finds the changes that admission made to a runner's pod: limits of a LimitRange, containers of a webhook. Pure. */
import type { Container, Json, Pod } from "../object/KubeObjects.ts"
import * as Quantity from "../object/Quantity.ts"

/** A line for each change that may slow a runner down or end it. Defaults that the API server fills in are left out. */
export const changesOf = (sent: Pod, made: Pod): ReadonlyArray<string> => [
  ...added(sent.spec.containers, made.spec.containers, "container"),
  ...added(sent.spec.initContainers ?? [], made.spec.initContainers ?? [], "init container"),
  ...sent.spec.containers.flatMap((container) => {
    const now = made.spec.containers.find(({ name }) => name === container.name)
    return now === undefined ? [] : resourcesOf(container, now)
  })
]

const added = (before: ReadonlyArray<Container>, now: ReadonlyArray<Container>, what: string): ReadonlyArray<string> =>
  now
    .filter(({ name }) => !before.some((container) => container.name === name))
    .map(({ name }) => `admission added the ${what} ${name} to runners, which makes their boots slower`)

const resourcesOf = (before: Container, now: Container): ReadonlyArray<string> => {
  const limits = Object.entries(now.resources?.limits ?? {})
  const requests = Object.entries(now.resources?.requests ?? {})
  const isSame = (sent: Json | undefined, value: string): boolean =>
    (typeof sent === "string" || typeof sent === "number") && Quantity.isSame(`${sent}`, value)
  const lineOf = (kind: string, resource: string, value: string): string =>
    `admission (a LimitRange, for example) set a ${kind} of ${value} for ${resource} on runners${
      kind === "limit" && resource === "cpu" ? ", which makes their boots slow" : ""
    }; set \`resources\` to override it`
  return [
    ...limits
      .filter(([resource, value]) => !isSame(before.resources?.limits?.[resource], value))
      .map(([resource, value]) => lineOf("limit", resource, value)),
    ...requests
      .filter(
        ([resource, value]) =>
          !isSame(before.resources?.requests?.[resource], value) &&
          // The API server uses a limit as the request if there is no request.
          !(before.resources?.requests?.[resource] === undefined && now.resources?.limits?.[resource] === value)
      )
      .map(([resource, value]) => lineOf("request", resource, value))
  ]
}
