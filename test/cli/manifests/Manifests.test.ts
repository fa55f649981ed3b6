import { assert, describe, it } from "@effect/vitest"
import { parseAllDocuments } from "yaml"
import * as Manifests from "../../../src/cli/manifests/Manifests.ts"
import * as Yaml from "../../../src/cli/manifests/Yaml.ts"

const options: Manifests.ManifestOptions = {
  app: "shop",
  namespace: "prod",
  image: "registry.example/shop:1.2.3",
  command: ["node", "--enable-source-maps", "main.js"],
  replicas: 2,
  max: 5,
  drainSeconds: 60,
  port: 9345,
  key: "secret",
  networkPolicy: true,
  totalMax: 7,
  cpu: "1",
  memory: "1Gi"
}

const all = (more: Partial<Manifests.ManifestOptions> = {}) =>
  Manifests.objects({ ...options, ...more }).map(({ object }) => object as any)

const keyOf = ({ kind, metadata }: any): string => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`

describe("the manifests of an app", () => {
  it("are YAML with the same content as their JSON", () => {
    const read = parseAllDocuments(Yaml.documents(Manifests.objects(options))).map((each) => each.toJS())
    assert.deepStrictEqual(read, JSON.parse(JSON.stringify(all())))
  })

  it("of two apps in a namespace share no object [C283]", () => {
    const one = all().map(keyOf)
    const other = new Set(all({ app: "shop-2" }).map(keyOf))
    assert.deepStrictEqual(
      one.filter((each) => other.has(each)),
      []
    )
  })

  it("open one port of the parents to runners and to nobody else, with a NetworkPolicy, and have none without [C283]", () => {
    const policiesOf = (networkPolicy: boolean) =>
      all({ networkPolicy, port: 1 }).filter(({ kind }) => kind === "NetworkPolicy")
    assert.deepStrictEqual(policiesOf(false), [])
    assert.deepStrictEqual(
      policiesOf(true).map(({ spec }) => spec),
      [
        {
          podSelector: { matchLabels: { "app.kubernetes.io/name": "shop" } },
          policyTypes: ["Ingress"],
          ingress: [
            {
              from: [{ podSelector: { matchLabels: { "flame.dev/role": "runner" } } }],
              ports: [{ protocol: "TCP", port: 1 }]
            }
          ]
        }
      ]
    )
  })

  it("grant no right to Secrets with key env", () => {
    const rulesOf = (key: "secret" | "env") => all({ key }).find(({ kind }) => kind === "Role").rules
    const has = (key: "secret" | "env") => rulesOf(key).some(({ resources }: any) => resources.includes("secrets"))
    assert.deepStrictEqual([has("secret"), has("env")], [true, false])
  })

  it("give a parent the time for its drain and for ending its runners", () => {
    const { spec } = all().find(({ kind }) => kind === "Deployment").spec.template
    assert.strictEqual(spec.terminationGracePeriodSeconds, 68)
    assert.deepInclude(spec.containers[0].env, { name: "FLAME_DRAIN_TIMEOUT", value: "60 seconds" })
  })

  it("share a total equally among the parents, unless a max is given [C288]", () => {
    const envOf = (more: Partial<Manifests.ManifestOptions>) => {
      const { max: _, ...rest } = options
      const found = Manifests.objects({ ...rest, ...more }).find(({ object }) => object["kind"] === "Deployment") as any
      return found.object.spec.template.spec.containers[0].env.find(({ name }: any) => name === "FLAME_MAX")?.value
    }
    assert.deepStrictEqual(
      [envOf({ totalMax: 7, replicas: 2 }), envOf({ totalMax: 2, replicas: 5 }), envOf({ totalMax: 7, max: 6 })],
      ["3", "1", "6"]
    )
  })

  it("have no Deployment without an image, and no quota without a total", () => {
    const { image: _, totalMax: __, networkPolicy: ___, ...rest } = options
    const kinds = Manifests.objects(rest).map(({ object }) => object["kind"])
    assert.deepStrictEqual(kinds, ["ServiceAccount", "Role", "RoleBinding"])
  })
})
