/**
 * Feeds first flights of strangers, in pieces and with a few changed bytes, to the listener, up to the point where TLS
 * takes over.
 */
import * as assert from "node:assert/strict"
import { Duplex } from "node:stream"
import type { Socket } from "node:net"
import { defaults, Strangers } from "../../src/wire/network/Strangers.ts"
import type * as Random from "../simulation/Random.ts"
import { int, noise, pieces } from "../wire/kit.ts"

/** A socket that says nothing by itself. */
export class Silent extends Duplex {
  readonly remoteAddress: string
  readonly remotePort = 4_000

  constructor(address: string) {
    super({ read() {}, write: (_, __, done) => done() })
    this.remoteAddress = address
  }
}

const hello = (random: Random.Random): Buffer => {
  const body = noise(int(random, 0, 600), int(random, 1, 1e6))
  const record = Buffer.concat([Buffer.from([22, 3, 1, 0, 0, 1]), body])
  record.writeUInt16BE(body.length + 1, 3)
  return record
}

/** Feeds one flight. Checks that a connection that started a handshake gets all its bytes back. */
export const fly = (random: Random.Random): boolean => {
  const flight = hello(random)
  for (let i = int(random, 0, 2); i > 0; i--)
    flight[int(random, 0, Math.min(8, flight.length - 1))] = int(random, 0, 255)
  const socket = new Silent(random() < 0.5 ? "10.0.0.1" : `2001:db8::${int(random, 0, 9)}%eth0`)
  let heard = 0
  let isDismissed = false
  const strangers = new Strangers(defaults, {
    hello: () => heard++,
    dismissed: () => {
      isDismissed = true
    },
    left: () => {}
  })
  strangers.add(socket as unknown as Socket)
  // Emitted at once, as in a later turn.
  for (const piece of pieces(flight, random, 300)) {
    if (isDismissed) break
    socket.push(piece)
    socket.emit("readable")
  }
  assert.ok(heard <= 1, "a handshake was begun twice")
  if (heard === 1) assert.ok(!isDismissed, "a handshake of a dismissed stranger was begun")
  assert.ok(socket.readableLength <= defaults.buffered + flight.length)
  strangers.dismissAll()
  assert.equal(strangers.size, 0)
  return true
}
