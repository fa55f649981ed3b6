import { assert, describe, it } from "@effect/vitest"
import { InvalidSpec } from "../../../src/error/BootFailure.ts"
import { parseAdvertise, podAddresses, withPort } from "../../../src/kubernetes/hub/DialBack.ts"
import type { Pod } from "../../../src/kubernetes/object/KubeObjects.ts"

const pod = (status: Pod["status"] & object): Pod => ({ metadata: { name: "a" }, spec: { containers: [] }, status })

describe("Advertise", () => {
  it("takes the addresses of a pod, both of two, and none before the pod has one", () => {
    const podIPs = [{ ip: "10.0.0.1" }, { ip: "fd00::1" }]
    assert.deepStrictEqual(podAddresses(pod({ podIP: "10.0.0.1", podIPs })), ["10.0.0.1", "fd00::1"])
    assert.deepStrictEqual(podAddresses(pod({ podIP: "10.0.0.1" })), ["10.0.0.1"])
    assert.deepStrictEqual(podAddresses(pod({})), [])
    assert.deepStrictEqual(podAddresses(undefined), [])
  })

  it("puts IPv6 addresses in brackets, and nothing else", () => {
    assert.strictEqual(withPort("fd00::1", 9345), "[fd00::1]:9345")
    assert.strictEqual(withPort("10.0.0.1", 9345), "10.0.0.1:9345")
    assert.strictEqual(withPort("laptop.example", 1), "laptop.example:1")
  })

  it("reads hosts and addresses, with or without a port, from a list or between commas", () => {
    const wanted = [
      { host: "10.0.0.5", port: undefined },
      { host: "fd00::5", port: undefined },
      { host: "fd00::5", port: 9345 },
      { host: "laptop.example", port: 80 }
    ]
    assert.deepStrictEqual(parseAdvertise("10.0.0.5, fd00::5,[fd00::5]:9345 ,laptop.example:80"), wanted)
    assert.deepStrictEqual(parseAdvertise(["10.0.0.5", "fd00::5", "[fd00::5]:9345", "laptop.example:80"]), wanted)
  })

  it.each(["", "a b", "10.0.0.5:", "host:99999", "host:0", "[laptop]:1", "[fd00::5", "http://host", "10.0.0.5,,x"])(
    "refuses %j, and says what is expected",
    (text) => {
      const problem = parseAdvertise(text)
      assert.instanceOf(problem, InvalidSpec)
      assert.match(problem.message, /the option `advertise` .* such as/)
    }
  )
})
