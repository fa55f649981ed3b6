/** A Link that records what it reports. */
import { Link, type LinkClosed } from "../../src/wire/Link.ts"
import type { Transport } from "../../src/wire/Transport.ts"

export interface Message {
  readonly kind: number
  readonly id: number
  /** Head and payload of a large body, joined, as a frame in one piece would have them. */
  readonly body: Buffer
  readonly large: boolean
}

export interface Probe {
  readonly link: Link
  readonly messages: Array<Message>
  readonly closed: Array<LinkClosed>
  /** The arguments with which `accept` was called. */
  readonly asked: Array<readonly [kind: number, id: number, total: number]>
}

export interface ProbeOptions {
  readonly accept?: (kind: number, id: number, total: number) => string | undefined
  readonly message?: (probe: Probe, message: Message) => void
  readonly closed?: (probe: Probe) => void
}

export const probe = (transport: Transport, options: ProbeOptions = {}): Probe => {
  const messages: Array<Message> = []
  const closed: Array<LinkClosed> = []
  const asked: Array<readonly [number, number, number]> = []
  const link = new Link(transport, {
    message(kind, id, body, large) {
      const message = {
        kind,
        id,
        body: large === undefined ? Buffer.from(body) : Buffer.concat([body, large]),
        large: large !== undefined
      }
      messages.push(message)
      options.message?.(self, message)
    },
    accept(kind, id, total) {
      asked.push([kind, id, total])
      return options.accept?.(kind, id, total)
    },
    closed(how) {
      closed.push(how)
      options.closed?.(self)
    }
  })
  const self: Probe = { link, messages, closed, asked }
  link.open()
  return self
}
