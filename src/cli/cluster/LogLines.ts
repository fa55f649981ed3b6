/** The lines of a container's log, as they arrive. */
import type { IncomingMessage } from "node:http"
import * as Stream from "effect/Stream"
import { type Asked, broken } from "../../kubernetes/api/KubeAnswer.ts"
import type { KubeError } from "../../kubernetes/api/KubeError.ts"

/** The stream ends with the body, and fails with `Unreachable` if the connection breaks. */
export const linesOf = (asked: Asked, body: IncomingMessage, server: string): Stream.Stream<string, KubeError> =>
  Stream.fromAsyncIterable(body as AsyncIterable<Uint8Array>, (cause) =>
    broken(asked, server, cause instanceof Error ? cause : new Error(String(cause)))
  ).pipe(Stream.decodeText(), Stream.splitLines)
