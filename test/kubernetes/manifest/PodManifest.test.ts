/** Compares our own types of manifests with those of the client library, field by field. */
import type { V1ObjectMeta, V1Pod, V1PodSpec } from "@kubernetes/client-node"
import { assert, it } from "@effect/vitest"
import type { ObjectMeta } from "../../../src/kubernetes/manifest/Metadata.ts"
import type { PodSpecManifest } from "../../../src/kubernetes/manifest/PodManifest.ts"
import type { Manifest } from "../../../src/kubernetes/template/PodOptions.ts"

type Scalar = string | number | boolean | Date

/** Paths of fields that the first type has and the second lacks. */
type Lacks<A, B, Path extends string> = unknown extends A
  ? never
  : [A] extends [Scalar]
    ? never
    : A extends ReadonlyArray<infer X>
      ? B extends ReadonlyArray<infer Y>
        ? Lacks<X, Y, Path>
        : Path
      : string extends keyof A
        ? string extends keyof B
          ? never
          : Path
        : {
            [K in keyof A & string]: K extends keyof B
              ? Lacks<NonNullable<A[K]>, NonNullable<B[K]>, `${Path}.${K}`>
              : `${Path}.${K}`
          }[keyof A & string]

// A missing field is named in the error of the compiler.
const nothing = <A>(...lacking: [A] extends [never] ? [] : [A]): void => assert.lengthOf(lacking, 0)

it("a manifest has every field of the client library's types, and no other", () => {
  assert.doesNotThrow(() => nothing<never>())
  nothing<Lacks<V1PodSpec, PodSpecManifest, "spec">>()
  nothing<Lacks<PodSpecManifest, V1PodSpec, "spec">>()
  nothing<Lacks<V1ObjectMeta, ObjectMeta, "metadata">>()
  nothing<Lacks<ObjectMeta, V1ObjectMeta, "metadata">>()
})

it("any pod of the client library is a manifest", () => {
  const manifestOf = (pod: V1Pod): Manifest => pod
  const pod: V1Pod = {
    metadata: { name: "a", creationTimestamp: new Date(0) },
    spec: { containers: [{ name: "runner", livenessProbe: { httpGet: { port: "http" } } }] }
  }
  assert.strictEqual(manifestOf(pod), pod)
})
