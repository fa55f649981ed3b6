/**
 * Runs once for all files: finds a cluster with two nodes and makes the images of the test apps. At the end deletes all
 * namespaces of the run.
 */
import { execFileSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import type { TestProject } from "vitest/node"
import type { Access } from "./Api.ts"
import * as Images from "./Images.ts"
import { findCluster, type Tools } from "./Tools.ts"

/** The cluster, as tests get it. */
export interface ClusterInfo {
  readonly access: Access
  readonly tools: Tools
  /** The names of its nodes that run pods: two, unless the cluster is given by `KUBECONFIG`. */
  readonly nodes: ReadonlyArray<string>
  /** The id of this run, in labels, tags and names. */
  readonly run: string
  readonly images: Images.Images
}

declare module "vitest" {
  interface ProvidedContext {
    readonly cluster: ClusterInfo
  }
}

export default async function setup(project: TestProject): Promise<() => void> {
  const tools = findCluster({ nodes: 2 })
  const run = randomBytes(3).toString("hex")
  const kubectl = (...args: ReadonlyArray<string>) =>
    execFileSync(tools.kubectl, args, { env: { ...process.env, KUBECONFIG: tools.kubeconfig }, encoding: "utf8" })
  const nodes = (
    JSON.parse(kubectl("get", "nodes", "-l", "type!=kwok", "-o", "json")) as {
      readonly items: ReadonlyArray<{ readonly metadata: { readonly name: string } }>
    }
  ).items.map(({ metadata }) => metadata.name)
  const images = await Images.make(tools, run)
  project.provide("cluster", { access: access(kubectl), tools, nodes, run, images })
  return () => {
    kubectl("delete", "namespaces", "-l", `effect-flame-test=${run}`, "--wait=false")
    Images.forget(images)
  }
}

interface View {
  readonly clusters: ReadonlyArray<{
    readonly cluster: { readonly server: string; readonly "certificate-authority-data": string }
  }>
  readonly users: ReadonlyArray<{
    readonly user: {
      readonly "client-certificate-data"?: string
      readonly "client-key-data"?: string
      readonly token?: string
    }
  }>
}

const access = (kubectl: (...args: ReadonlyArray<string>) => string): Access => {
  const view = JSON.parse(kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json")) as View
  const clear = (data: string) => Buffer.from(data, "base64").toString("utf8")
  const { cluster } = view.clusters[0]!
  const { user } = view.users[0]!
  const cert = user["client-certificate-data"]
  const key = user["client-key-data"]
  return {
    server: cluster.server,
    ca: clear(cluster["certificate-authority-data"]),
    ...(cert === undefined || key === undefined ? {} : { cert: clear(cert), key: clear(key) }),
    ...(user.token === undefined ? {} : { token: user.token })
  }
}
