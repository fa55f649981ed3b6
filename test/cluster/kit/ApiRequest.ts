/** A request to the API server, in the terms of a Role. */
export interface ApiRequest {
  readonly verb: string
  /** The resource with its subresource: `pods`, `pods/log`. */
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly path: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** The status code of the answer, injected or not. Undefined until there is one. */
  status: number | undefined
}

const verbs: Readonly<Record<string, string>> = { POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" }

/** Connecting to a pod counts as create, whatever the HTTP method. */
const connecting = new Set(["exec", "attach", "portforward"])

export const parse = (method: string, path: string): ApiRequest => {
  const { pathname, searchParams } = new URL(path, "https://api")
  const parts = pathname.split("/").filter((part) => part !== "")
  // api/v1/… or apis/GROUP/VERSION/…. Other paths, such as version, name no resource.
  const inside = parts[0] === "api" ? parts.slice(2) : parts[0] === "apis" ? parts.slice(3) : []
  const namespace = inside[0] === "namespaces" && inside.length > 2 ? inside[1] : undefined
  const [resource = pathname, name, subresource] = namespace === undefined ? inside : inside.slice(2)
  const reading = name !== undefined ? "get" : searchParams.get("watch") === null ? "list" : "watch"
  const verb = verbs[method] ?? reading
  return {
    verb: connecting.has(subresource ?? "")
      ? "create"
      : verb === "delete" && name === undefined
        ? "deletecollection"
        : verb,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    namespace,
    name,
    path,
    at: Date.now(),
    status: undefined
  }
}
