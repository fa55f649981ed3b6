import { assert, it } from "@effect/vitest"
import * as Yaml from "../../../src/cli/manifests/Yaml.ts"

it("a text that YAML would read as a number is quoted", () => {
  const object = { command: ["sleep", ".5", "./a", "5"] }
  assert.strictEqual(Yaml.documents([{ about: [], object }]), `command: [sleep, ".5", ./a, "5"]\n`)
})
