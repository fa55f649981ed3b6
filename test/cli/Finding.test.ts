import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { CommandFailed } from "../../src/cli/cluster/CommandFailed.ts"
import * as Finding from "../../src/cli/Finding.ts"

it.effect("a cluster that was named and is not there fails, also beside parents of this machine [C481]", () =>
  Effect.gen(function* () {
    const target = {
      local: false,
      context: Option.some("nope"),
      namespace: Option.none(),
      kubeconfig: Option.some("/no/such/kubeconfig")
    }
    const error = yield* Effect.flip(Finding.withFound(target, () => Effect.void))
    assert.instanceOf(error, CommandFailed)
    assert.strictEqual(error.status, 1)
    assert.match(
      error.message,
      /^no way to a Kubernetes API server: the kubeconfig \/no\/such\/kubeconfig cannot be read/
    )
  })
)
