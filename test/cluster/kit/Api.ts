/** Requests of the tests to the API server as its administrator. Uses no code of the client under test. */
import { Agent, request as open } from "node:https"
import type { IncomingMessage } from "node:http"
import * as Effect from "effect/Effect"
import { inject } from "vitest"
import { patience } from "../../fixtures/conformance-process/patience.ts"

/** The address of the API server and the administrator's credentials, from a kubeconfig. */
export interface Access {
  readonly server: string
  readonly ca: string
  readonly cert?: string
  readonly key?: string
  readonly token?: string
}

/** Any object of the API, without a type. */
export type KubeObject = any

/** The API server refused a request. */
export class Refused extends Error {
  readonly status: number

  constructor(what: string, status: number, detail: string) {
    super(`${what}: ${status} ${detail}`)
    this.status = status
  }
}

// No connection stays open between requests, because tests count the connections of the client under test.
const agent = new Agent({ keepAlive: false })

const begin = (method: string, path: string, body: unknown, answered: (response: IncomingMessage) => void) => {
  const { ca, cert, key, server, token } = inject("cluster").access
  const text = body === undefined ? undefined : JSON.stringify(body)
  const patch = method === "PATCH" ? "application/strategic-merge-patch+json" : "application/json"
  const request = open(new URL(path, server), {
    method,
    agent,
    ca,
    ...(cert === undefined ? {} : { cert, key }),
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(text === undefined ? {} : { "content-type": patch, "content-length": Buffer.byteLength(text) })
    }
  })
  request.on("response", answered)
  request.end(text)
  return request
}

const read = (response: IncomingMessage, done: (text: string) => void) => {
  let text = ""
  response.setEncoding("utf8")
  response.on("data", (chunk: string) => (text += chunk))
  response.on("end", () => done(text))
}

/** Sends one request. Fails with `Refused`, or with the error of its socket. */
export const request = (method: string, path: string, body?: unknown): Effect.Effect<KubeObject, Error> =>
  Effect.callback<KubeObject, Error>((resume) => {
    const sent = begin(method, path, body, (response) =>
      read(response, (text) => {
        const status = response.statusCode ?? 0
        const isJson = response.headers["content-type"]?.includes("json") === true
        if (status < 300) return resume(Effect.succeed(isJson ? JSON.parse(text) : text))
        const detail = isJson ? (JSON.parse(text) as { readonly message: string }).message : text
        resume(Effect.fail(new Refused(`${method} ${path}`, status, detail)))
      })
    )
    sent.on("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => sent.destroy())
  })

/** The status code with which the API server answers a request with that token. */
export const statusFor = (token: string, path: string): Effect.Effect<number> =>
  Effect.callback<number>((resume) => {
    const { ca, server } = inject("cluster").access
    const headers = { authorization: `Bearer ${token}` }
    const sent = open(new URL(path, server), { ca, agent, headers }, (response) => {
      response.resume()
      resume(Effect.succeed(response.statusCode ?? 0))
    })
    sent.on("error", (error) => resume(Effect.die(error)))
    sent.end()
    return Effect.sync(() => void sent.destroy())
  })

/** The result of an effect, or undefined if the object does not exist. */
export const orMissing = <A>(effect: Effect.Effect<A, Error>): Effect.Effect<A | undefined> =>
  effect.pipe(
    Effect.catch((error) =>
      error instanceof Refused && error.status === 404 ? Effect.succeed(undefined) : Effect.die(error)
    )
  )

/** Follows the lines of a long answer, such as a log. Runs `done` when the answer ends for any reason. */
export const follow = (path: string, line: (text: string) => void, done: () => void): (() => void) => {
  let stopped = false
  const end = () => {
    if (stopped) return
    stopped = true
    done()
  }
  const sent = begin("GET", path, undefined, (response) => {
    let rest = ""
    response.setEncoding("utf8")
    response.on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n")
      rest = lines.pop() ?? ""
      for (const text of lines) if (!stopped) line(text)
    })
    response.on("close", end)
  })
  sent.on("error", end)
  return () => {
    stopped = true
    sent.destroy()
  }
}

/** Waits by a watch until a condition holds for the objects of a collection. */
export const until = <A>(
  collection: string,
  selection: { readonly name?: string; readonly labels?: string },
  look: (objects: ReadonlyArray<KubeObject>) => A | undefined | false,
  what: string,
  limit?: number
): Effect.Effect<A> =>
  Effect.suspend(() => {
    const objects = new Map<string, KubeObject>()
    return Effect.callback<A>((resume) => {
      let stop = () => {}
      let timer: NodeJS.Timeout | undefined
      let complete = false
      const check = () => {
        const found = look([...objects.values()])
        if (found === undefined || found === false) return
        stop()
        resume(Effect.succeed(found))
      }
      const take = (text: string) => {
        const { object, type } = JSON.parse(text) as { readonly type: string; readonly object: KubeObject }
        const name = object.metadata?.name as string
        if (type === "DELETED") objects.delete(name)
        else if (type === "BOOKMARK") complete = true
        else if (type !== "ERROR") objects.set(name, object)
        // Before that bookmark the watch has not sent all existing objects.
        if (complete) check()
      }
      const query = new URLSearchParams({
        watch: "1",
        sendInitialEvents: "true",
        resourceVersionMatch: "NotOlderThan",
        allowWatchBookmarks: "true"
      })
      if (selection.name !== undefined) query.set("fieldSelector", `metadata.name=${selection.name}`)
      if (selection.labels !== undefined) query.set("labelSelector", selection.labels)
      const again = () => {
        complete = false
        objects.clear()
        stop = follow(`${collection}?${query.toString()}`, take, () => (timer = setTimeout(again, 50)))
      }
      again()
      return Effect.sync(() => {
        clearTimeout(timer)
        stop()
      })
    }).pipe(patience(() => `${what}; there is ${JSON.stringify([...objects.values()].map(brief))}`, limit))
  })

const brief = ({ metadata, status }: KubeObject) => ({
  name: metadata?.name,
  deleted: metadata?.deletionTimestamp,
  phase: status?.phase,
  reason: status?.reason,
  containers: status?.containerStatuses?.map((container: KubeObject) => container.state),
  conditions: status?.conditions
    ?.filter((condition: KubeObject) => condition.status !== "True" && condition.message !== undefined)
    .map((condition: KubeObject) => condition.message)
})
