/** For each client of a placed service, the effect that completes when the service is over. */
import * as Effect from "effect/Effect"
import type { FlameError } from "../../error/FlameError.ts"

type Ended = Effect.Effect<void, FlameError>

const endings = new WeakMap<object, Ended>()

export const set = <Client extends object>(client: Client, ended: Ended): Client => {
  endings.set(client, ended)
  return client
}

export const of = (client: object): Ended =>
  endings.get(client) ?? Effect.die(new Error("this is no client that Flame.place gave"))
