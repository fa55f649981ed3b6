/** What admission made of a runner's pod beside what was asked for: limits of a LimitRange, containers of a webhook. */
import type { Container, Pod } from "../object/KubeObjects.ts"

/** A line for each change that a runner may suffer from; what the API server only fills in is none. */
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
    .map(({ name }) => `admission gave runners the ${what} ${name}, which makes their boots slower`)

const resourcesOf = (before: Container, now: Container): ReadonlyArray<string> => {
  const limits = Object.entries(now.resources?.limits ?? {})
  const requests = Object.entries(now.resources?.requests ?? {})
  const told = (kind: string, resource: string, value: string): string =>
    `admission gave runners a ${kind} of ${value} for ${resource}, such as a LimitRange does${
      kind === "limit" && resource === "cpu" ? ", which makes their boots slow" : ""
    }; set \`resources\` to have another`
  return [
    ...limits
      .filter(([resource, value]) => before.resources?.limits?.[resource] !== value)
      .map(([resource, value]) => told("limit", resource, value)),
    ...requests
      .filter(
        ([resource, value]) =>
          before.resources?.requests?.[resource] !== value &&
          // what has a limit and no request gets the limit as its request
          !(before.resources?.requests?.[resource] === undefined && now.resources?.limits?.[resource] === value)
      )
      .map(([resource, value]) => told("request", resource, value))
  ]
}
