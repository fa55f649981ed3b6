/** Finds a cluster to test on, and the programs that go with it. */
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { delimiter, join, resolve } from "node:path"

/** Paths of programs and of the administrator's kubeconfig. */
export interface Tools {
  readonly kube: string
  readonly kubectl: string
  readonly kubeconfig: string
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

/**
 * The cluster of KUBECONFIG, else the one that `kube` beside the project makes, which is brought up.
 *
 * Either way `kube` is what puts images on its nodes.
 */
export const findCluster = (options: { readonly nodes?: 1 | 2 } = {}): Tools => {
  const beside = join(root, "../shared/kube/kube")
  const kube = existsSync(beside) ? beside : inPath("kube")
  if (kube === undefined) {
    throw new Error(
      `no cluster to test on: these tests need the program \`kube\` in ${beside} or in PATH, which makes a Kubernetes on this machine and puts images on its nodes`
    )
  }
  const given = process.env["KUBECONFIG"]
  const kubectl = inPath("kubectl")
  if (given !== undefined && given !== "" && kubectl !== undefined) {
    // the node is there in seconds; nothing happens to a cluster that `kube` did not make
    if (options.nodes === 2 && given === variable(run(kube, "env"), "KUBECONFIG")) run(kube, "up", "--nodes", "2")
    return { kube, kubectl, kubeconfig: given }
  }
  run(kube, "up", ...(options.nodes === undefined ? [] : ["--nodes", `${options.nodes}`]))
  const env = run(kube, "env")
  const bin = variable(env, "PATH").split(":")[0]!
  return { kube, kubectl: join(bin, "kubectl"), kubeconfig: variable(env, "KUBECONFIG") }
}

// what it says while it builds is for people
const run = (kube: string, ...args: ReadonlyArray<string>): string =>
  execFileSync(kube, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })
