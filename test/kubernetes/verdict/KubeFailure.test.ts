import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import { type BootFailure, isTransient } from "../../../src/error/BootFailure.ts"
import type { Status } from "../../../src/kubernetes/object/KubeObjects.ts"
import { KubeError } from "../../../src/kubernetes/api/KubeError.ts"
import * as KubeFailure from "../../../src/kubernetes/verdict/KubeFailure.ts"

const recorded: Readonly<Record<string, { readonly code: number; readonly status: Status }>> = JSON.parse(
  Fs.readFileSync(new URL("../fixtures/rejections.json", import.meta.url), "utf8")
)

const error = (code: number, status: Status, retryable = code === 429 || code >= 500): KubeError =>
  new KubeError({
    verb: "create",
    resource: "pods",
    status: code,
    reason: status.reason ?? "Unknown",
    detail: status.message ?? "",
    retryable,
    ...(status.details?.name === undefined ? {} : { name: status.details.name }),
    ...(status.details?.causes === undefined
      ? {}
      : { fields: status.details.causes.flatMap(({ field }) => field ?? []) })
  })

const refusal = (name: string): KubeError => {
  const { code, status } = recorded[name] ?? assert.fail(`${name} is not recorded`)
  return error(code, status)
}

type Row = readonly [name: string, next: KubeFailure.Failure["next"], cause: BootFailure["_tag"], words: RegExp]

describe("a create that the API server refuses", () => {
  const rows: ReadonlyArray<Row> = [
    ["quota exceeded", "when there is room", "QuotaExceeded", /exceeded quota: rq, requested: pods=1.*lower `max`/],
    ["quota demands resources", "with a CPU limit", "InvalidSpec", /must specify limits.cpu/],
    ["limit range", "fail", "AdmissionDenied", /LimitRange does not allow it: .*128Mi, but limit is 1Gi/],
    [
      "pod security",
      "fail",
      "AdmissionDenied",
      /PodSecurity does not allow it: .*violates PodSecurity "restricted:latest"/
    ],
    ["rbac", "again", "Forbidden", /may not create pods, .*system:serviceaccount:flame-record:default/],
    ["anonymous", "fail", "Forbidden", /no token was sent/],
    ["service account missing", "again", "InvalidSpec", /serviceaccount "nope" not found; create what it names/],
    ["priority class missing", "fail", "InvalidSpec", /no PriorityClass with name nope/],
    ["runtime class missing", "fail", "InvalidSpec", /RuntimeClass "nope" not found/],
    ["namespace missing", "fail", "InvalidSpec", /create that namespace/],
    ["namespace terminating", "fail", "InvalidSpec", /the namespace is being deleted/],
    [
      "admission policy",
      "fail",
      "AdmissionDenied",
      /ValidatingAdmissionPolicy flame-record does not allow it: .*label team/
    ],
    ["webhook down", "again", "ApiUnavailable", /failed calling webhook "pods.flame-record.dev"/],
    ["invalid", "fail", "InvalidSpec", /metadata.labels.*env/],
    ["bad type", "fail", "InvalidSpec", /cannot unmarshal string/],
    ["wrong namespace", "fail", "InvalidSpec", /does not match the namespace/],
    ["exists", "fail", "LaunchFailed", /already exists, and that pod belongs to another runner/]
  ]

  it.each(rows)("%s: %s, %s", (name, next, cause, words) => {
    const failure = KubeFailure.of(refusal(name))
    assert.strictEqual(failure.next, next)
    assert.strictEqual(failure.cause._tag, cause)
    assert.match(failure.cause.message, words)
    assert.strictEqual(KubeFailure.causeOf(refusal(name)).message, failure.cause.message)
  })

  it("has a row for each recorded refusal, except the one about deleting", () => {
    assert.sameMembers([...rows.map(([name]) => name), "uid differs"], Object.keys(recorded))
  })

  it("keeps callers waiting only if time can help", () => {
    const transient = rows.filter(([name]) => isTransient(KubeFailure.of(refusal(name)).cause)).map(([name]) => name)
    assert.deepStrictEqual(transient, ["quota exceeded", "webhook down", "exists"])
  })

  it("is retried with a CPU limit once, and only if nothing else is missing", () => {
    assert.strictEqual(KubeFailure.of(refusal("quota demands resources"), { cpuLimit: true }).next, "fail")
    for (const missing of [
      "limits.memory for: runner",
      "limits.cpu for: beside,runner",
      "limits.cpu for: runner; limits.memory for: runner"
    ]) {
      const message = `pods "x" is forbidden: failed quota: rq: must specify ${missing}`
      assert.strictEqual(KubeFailure.of(error(403, { message, details: { name: "x" } })).next, "fail", missing)
    }
  })

  it("is retried for 5 s for a missing service account and for a minute for a token, and then fails", () => {
    const unauthorized = error(401, { reason: "Unauthorized", message: "Unauthorized" })
    const next = (error: KubeError, elapsed: number) => KubeFailure.of(error, { elapsed }).next
    // An API server that has just started refuses everybody until it has read the roles.
    assert.deepStrictEqual([next(refusal("rbac"), 2_999), next(refusal("rbac"), 3_000)], ["again", "fail"])
    assert.deepStrictEqual(
      [4_999, 5_000].map((at) => next(refusal("service account missing"), at)),
      ["again", "fail"]
    )
    assert.deepStrictEqual(
      [59_999, 60_000].map((at) => next(unauthorized, at)),
      ["again", "fail"]
    )
    assert.strictEqual(KubeFailure.causeOf(unauthorized)._tag, "ApiUnreachable")
  })
})

describe("refusals that no test cluster can produce (written from their documentation)", () => {
  it.each([
    [429, "TooManyRequests", "too many requests", "again", "ApiUnavailable"],
    [500, "InternalError", "resource quota evaluation timed out", "again", "ApiUnavailable"],
    [409, "Conflict", 'Operation cannot be fulfilled on resourcequotas "rq"', "again", "ApiUnavailable"],
    [400, "BadRequest", 'admission webhook "w.example" denied the request: no', "fail", "AdmissionDenied"]
  ] as const)("%d %s (%s)", (code, reason, message, next, cause) => {
    const failure = KubeFailure.of(error(code, { reason, message }))
    assert.deepStrictEqual([failure.next, failure.cause._tag], [next, cause])
  })

  it("are retried after the time that the server asks for", () => {
    const busy = new KubeError({
      ...fields,
      status: 429,
      reason: "TooManyRequests",
      retryable: true,
      retryAfter: 7_000
    })
    assert.propertyVal(KubeFailure.of(busy), "after", 7_000)
    // The page of a gateway under maintenance: the boot would outlive its own limits, and the end of the outage.
    assert.propertyVal(KubeFailure.of(new KubeError({ ...busy, retryAfter: 3_600_000 })), "after", 30_000)
  })

  it("are retried if no answer arrived, and not if the server's certificate is not trusted", () => {
    const answer = (reason: string, retryable: boolean) =>
      KubeFailure.of(new KubeError({ ...fields, reason, retryable }))
    assert.strictEqual(answer("Unreachable", true).next, "again")
    assert.strictEqual(answer("Untrusted", false).next, "fail")
  })
})

const fields = { verb: "create", resource: "pods", detail: "said so" }
