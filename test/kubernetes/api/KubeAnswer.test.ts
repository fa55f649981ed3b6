import { assert, it } from "@effect/vitest"
import { refused } from "../../../src/kubernetes/api/KubeAnswer.ts"

const asked = { verb: "list", resource: "pods" }
const answered = (body: string) => refused(asked, { status: 502, retryAfter: undefined, body }, 0)

it("the JSON of a gateway, whose fields have other types than those of the API server, is an error like any other", () => {
  for (const body of [
    `{"statusCode":502,"message":["upstream unavailable"]}`,
    `{"details":{"causes":{"a":1}}}`,
    `{"details":{"causes":[null],"name":4,"retryAfterSeconds":"soon"}}`,
    `{"reason":5,"details":"none"}`,
    `[1]`,
    `null`
  ]) {
    const { detail, fields, reason, retryable, retryAfter } = answered(body)
    assert.deepStrictEqual(
      { detail, fields, reason, retryable, retryAfter },
      { detail: body, fields: undefined, reason: "BadGateway", retryable: true, retryAfter: undefined }
    )
  }
})
