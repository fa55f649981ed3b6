/** The parent's side of the handshake: reads the Hello of a runner, and accepts or refuses the runner. */
import * as Effect from "effect/Effect"
import { type BootFailure, NeverConnected, NotARunner } from "../../error/BootFailure.ts"
import { json, Kind, kindName } from "../../wire/Frame.ts"
import { checkHello, decodeFailure, type Welcome } from "../../wire/Handshake.ts"
import { Link } from "../../wire/Link.ts"
import type { Transport } from "../../wire/Transport.ts"
import { type RunnerEvents, RunnerHandle, type TakeReport } from "./RunnerHandle.ts"

/** The expected runner, and the limits of its session. */
export interface RunnerTerms extends Welcome {
  readonly runner: string
  readonly life: string
  /** Layouts of the functions that the parent knows so far. */
  readonly fingerprints: ReadonlyMap<string, string>
  /** These functions, whose schemas a refusal names. */
  readonly declared?: ReadonlyMap<string, object>
}

const none = new Uint8Array(0)

/**
 * Waits for the Hello at the other end of a pipe, and accepts or refuses the runner.
 *
 * Fails at once if the peer is no runner, or not the expected one. If the pipe closes first, the backend has one second
 * to report why the runner ended.
 */
export const connect = (
  transport: Transport,
  terms: RunnerTerms,
  reports?: TakeReport
): Effect.Effect<RunnerHandle, BootFailure> =>
  Effect.callback<RunnerHandle, BootFailure>((resume) => {
    const before: RunnerEvents = {
      draining() {},
      responsive() {},
      closed: () => {}
    }
    // Until the Welcome. From then on the runner's handle receives the frames.
    const link = new Link(transport, {
      message(kind, _id, body) {
        if (kind === Kind.Fail) {
          resume(Effect.fail(decodeFailure(body)))
          return link.endSession()
        }
        const hello =
          kind === Kind.Hello
            ? checkHello(body, terms)
            : new NotARunner({ detail: `it began with a ${kindName(kind)} frame instead of Hello` })
        if ("_tag" in hello) {
          link.send(Kind.Refuse, 0, none, json(hello))
          link.endSession()
          return resume(Effect.fail(hello))
        }
        const { cancelGrace, drainTimeout, logLevel, maxPayload, maxResult, metricsInterval } = terms
        const welcome = { cancelGrace, drainTimeout, logLevel, maxPayload, maxResult, metricsInterval }
        link.send(Kind.Welcome, 0, none, json(welcome))
        const handle = new RunnerHandle(link, hello, before, maxResult)
        handle.reports = reports
        link.handOver(handle)
        resume(Effect.succeed(handle))
      },
      accept: (kind, id) => `a large ${kindName(kind)} for call ${id}, which it does not hold`,
      items: (kind) => link.violate(`a ${kindName(kind)} frame before Hello`),
      grant: (kind) => link.violate(`a ${kindName(kind)} frame before Hello`),
      closed({ error, violation }) {
        if (violation !== undefined) {
          return resume(Effect.fail(new NotARunner({ detail: `it does not speak this protocol: ${violation}` })))
        }
        const why = error === undefined ? "" : ` (${error.message})`
        const hint = `its connection ended before it served${why}; look at its output`
        const failure = Effect.fail(new NeverConnected({ phase: "connected", hint, after: 0 }))
        // The backend knows why the runner ended, and reports it within this time.
        resume(Effect.delay(failure, "1 second"))
      }
    })
    link.open()
    return Effect.sync(() => link.destroy())
  })
