/** Finds a cluster to test on, and the programs for it. */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { delimiter, join, resolve } from "node:path"

export interface ImageOptions {
  /** Default `["node", "main.mjs"]`. */
  readonly entrypoint?: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
}

/** Paths of programs and of the administrator's kubeconfig. */
export interface Tools {
  readonly kubectl: string
  readonly kubeconfig: string
  /** The program that made the cluster and can stop its nodes and API server. Undefined for a cluster of `kind`. */
  readonly kube: string | undefined
  /** The name of the `kind` cluster. Undefined for any other cluster. */
  readonly kind: string | undefined
  /** The registry for images, from `FLAME_TEST_REGISTRY`, for a cluster that neither `kube` nor `kind` made. */
  readonly registry?: string
}

const root = resolve(import.meta.dirname, "../../..")

const inPath = (program: string): string | undefined =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((file) => existsSync(file))

const variable = (lines: string, name: string): string => {
  const value = new RegExp(`^export ${name}=(\\S+)$`, "m").exec(lines)?.[1]
  if (value === undefined) throw new Error(`\`kube env\` does not say ${name}: ${lines}`)
  return value
}

// The program's build messages go to the terminal.
const run = (program: string, ...args: ReadonlyArray<string>): string =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

/** The source of a cluster: `KUBECONFIG`, else `kube`, else `kind`. */
export type Source =
  | { readonly _tag: "Given"; readonly kubeconfig: string; readonly kube: string | undefined }
  | { readonly _tag: "Kube"; readonly kube: string }
  | { readonly _tag: "Kind"; readonly kind: string }
  | { readonly _tag: "None" }

/** Finds the source of a cluster. Starts nothing. */
export const clusterSource = (): Source => {
  const beside = join(root, "../shared/kube/kube")
  const kube = existsSync(beside) ? beside : inPath("kube")
  const kubeconfig = process.env["KUBECONFIG"] ?? ""
  if (kubeconfig !== "") return { _tag: "Given", kubeconfig, kube }
  if (kube !== undefined) return { _tag: "Kube", kube }
  const kind = inPath("kind")
  return kind === undefined ? { _tag: "None" } : { _tag: "Kind", kind }
}

/** Whether tests can stop nodes and the API server, which `kube` runs as processes of this machine. */
export const canStopNodes = (): boolean => {
  const source = clusterSource()
  return source._tag === "Kube" || (source._tag === "Given" && source.kube !== undefined)
}

/** Finds a cluster, or makes one if `KUBECONFIG` names none. A cluster of `kind` has two nodes for pods. */
export const findCluster = (options: { readonly nodes?: 1 | 2 } = {}): Tools => {
  const source = clusterSource()
  switch (source._tag) {
    case "Given":
      return given(source.kubeconfig, source.kube, options.nodes)
    case "Kube":
      return byKube(source.kube, options.nodes)
    case "Kind":
      return byKind(source.kind)
    case "None":
      throw new Error(
        "no cluster to test on: set KUBECONFIG, or install kind (https://kind.sigs.k8s.io) with Docker and kubectl"
      )
  }
}

const given = (kubeconfig: string, kube: string | undefined, nodes: 1 | 2 | undefined): Tools => {
  const kubectl = inPath("kubectl")
  if (kubectl === undefined) {
    if (kube !== undefined) return byKube(kube, nodes)
    throw new Error(`KUBECONFIG is ${kubeconfig}, but the program kubectl is not in PATH`)
  }
  if (kube !== undefined) {
    // Adds the second node in seconds, but only to a cluster that `kube` made.
    if (nodes === 2 && kubeconfig === variable(run(kube, "env"), "KUBECONFIG")) run(kube, "up", "--nodes", "2")
    return { kubectl, kubeconfig, kube, kind: undefined }
  }
  const context = execFileSync(kubectl, ["config", "current-context"], { encoding: "utf8" }).trim()
  const registry = process.env["FLAME_TEST_REGISTRY"] ?? ""
  if (registry !== "") return { kubectl, kubeconfig, kube, kind: undefined, registry }
  if (!context.startsWith("kind-")) {
    throw new Error(
      `no way to give test images to the nodes of context ${context}: set FLAME_TEST_REGISTRY to a registry, such as registry.example/flame, to which docker may push and from which the nodes may pull`
    )
  }
  return { kubectl, kubeconfig, kube, kind: context.slice("kind-".length) }
}

const byKube = (kube: string, nodes: 1 | 2 | undefined): Tools => {
  run(kube, "up", ...(nodes === undefined ? [] : ["--nodes", `${nodes}`]))
  const env = run(kube, "env")
  const bin = variable(env, "PATH").split(":")[0]!
  return { kube, kubectl: join(bin, "kubectl"), kubeconfig: variable(env, "KUBECONFIG"), kind: undefined }
}

/**
 * The cluster `effect-flame` of `kind`, which stays for the next run. Remove it by `kind delete cluster --name
 * effect-flame`.
 */
const byKind = (kind: string): Tools => {
  const name = "effect-flame"
  const kubectl = inPath("kubectl")
  if (kubectl === undefined) throw new Error("kind is installed, but the program kubectl is not in PATH")
  if (!run(kind, "get", "clusters").split("\n").includes(name)) {
    const nodes = ["control-plane", "worker", "worker"].map((role) => `  - role: ${role}`).join("\n")
    const config = `kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n${nodes}\n`
    execFileSync(kind, ["create", "cluster", "--name", name, "--wait", "180s", "--config", "-"], {
      input: config,
      stdio: ["pipe", "inherit", "inherit"]
    })
  }
  const kubeconfig = join(root, ".cache/kind.kubeconfig")
  mkdirSync(join(root, ".cache"), { recursive: true })
  writeFileSync(kubeconfig, run(kind, "get", "kubeconfig", "--name", name), { mode: 0o600 })
  return { kubectl, kubeconfig, kube: undefined, kind: name }
}

/**
 * The name by which pods find an image: with the registry in front, for a cluster into which neither `kube` nor `kind`
 * can load images.
 */
export const imageName = ({ registry }: Tools, name: string): string =>
  registry === undefined ? name : name.replace(/^localhost\//, `${registry.replace(/\/+$/, "")}/`)

/** Makes an image whose folder `/app` is the given folder, and loads it into every node under `imageName`. */
export const makeImage = (tools: Tools, name: string, folder: string, options: ImageOptions = {}): void => {
  const { entrypoint = ["node", "main.mjs"], env = {} } = options
  const variables = Object.entries(env).map(([key, value]) => `${key}=${value}`)
  if (tools.kube !== undefined) {
    const args = ["--entrypoint", JSON.stringify(entrypoint), ...variables.flatMap((text) => ["--env", text])]
    execFileSync(tools.kube, ["image", name, folder, ...args], { stdio: ["ignore", "ignore", "inherit"] })
    return
  }
  const dockerfile = [
    `FROM node:${process.versions.node}-slim`,
    "WORKDIR /app",
    "COPY . .",
    "USER 65532",
    ...variables.map((text) => `ENV ${text}`),
    `ENTRYPOINT ${JSON.stringify(entrypoint)}`
  ].join("\n")
  execFileSync("docker", ["build", "--quiet", "--tag", imageName(tools, name), "--file", "-", folder], {
    input: dockerfile,
    stdio: ["pipe", "ignore", "inherit"]
  })
  if (tools.registry !== undefined) {
    execFileSync("docker", ["push", "--quiet", imageName(tools, name)], { stdio: ["ignore", "ignore", "inherit"] })
    return
  }
  execFileSync("kind", ["load", "docker-image", name, "--name", tools.kind!], {
    stdio: ["ignore", "ignore", "inherit"]
  })
}

/** Gives the stock image of Node to the nodes, under its public name, where they have no registry to pull it from. */
export const giveStockImage = (tools: Tools, name: string, empty: string): void => {
  if (tools.kube !== undefined) {
    // the image of `kube` has the Node of the machine that made the cluster
    const args = ["image", `docker.io/library/${name}`, empty, "--entrypoint", '["node"]']
    execFileSync(tools.kube, args, { stdio: ["ignore", "ignore", "inherit"] })
  } else if (tools.kind !== undefined) {
    execFileSync("docker", ["pull", "--quiet", name], { stdio: ["ignore", "ignore", "inherit"] })
    execFileSync("kind", ["load", "docker-image", name, "--name", tools.kind], {
      stdio: ["ignore", "ignore", "inherit"]
    })
  }
}
