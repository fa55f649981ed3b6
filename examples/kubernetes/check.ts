/**
 * Follows README.md beside this file on the cluster of KUBECONFIG, or on a cluster that `kube` or `kind` makes: builds,
 * deploys, weighs, and looks for leftovers. Prints the time of the same work on child processes and on pods.
 */
import { strict as assert } from "node:assert"
import { execFileSync, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { until } from "../../test/fixtures/process/processes.ts"
import { findCluster, makeImage } from "../../test/cluster/kit/Tools.ts"
import { build } from "./build.ts"

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))
const tools = findCluster()
// Names of this run only: another run may use the same cluster.
const run = randomBytes(3).toString("hex")
const namespace = `weigh-${run}`
const image = `localhost/weigh:${run}`
const folder = mkdtempSync(join(tmpdir(), "weigh-image-"))
const env = { ...process.env, KUBECONFIG: tools.kubeconfig }

const kubectl = (args: ReadonlyArray<string>, input = "") =>
  execFileSync(tools.kubectl, args, { env, input, encoding: "utf8", stdio: ["pipe", "pipe", "inherit"] })
const objects = (resource: string, ...args: ReadonlyArray<string>) =>
  kubectl(["get", resource, "-n", namespace, "-o", "name", ...args])
    .split("\n")
    .filter((name) => name !== "")
const say = (what: string) => console.log(`\n${what}`)

/** Cuts the table out of a text: from the heading to the last package that could not be weighed. */
const tableOf = (text: string): string => text.slice(text.indexOf("package  "), text.lastIndexOf("\n\n"))
const timesOf = (text: string) => {
  const [, alone, runners] = /([\d.]+) s in one process, ([\d.]+) s on runners/.exec(text) ?? []
  const [, boots] = /the pool: (\d+ boots?[^;]*)/.exec(text) ?? []
  return { alone: `${alone} s`, runners: `${runners} s`, boots: boots ?? "" }
}

const manifest = () =>
  readFileSync(here("./weigh.yaml"), "utf8")
    .replaceAll("namespace: weigh", `namespace: ${namespace}`)
    .replace("\n  name: weigh\n", `\n  name: ${namespace}\n`)
    .replace("image: localhost/weigh:1", `image: ${image}`)

/** Reaches the deployed program by `kubectl port-forward`. */
const forwarded = async <A>(use: (port: string) => Promise<A>): Promise<A> => {
  const forward = spawn(tools.kubectl, ["port-forward", "-n", namespace, "deployment/weigh", ":3000"], { env })
  let text = ""
  for (const output of [forward.stdout, forward.stderr]) output.on("data", (chunk) => (text += chunk))
  try {
    const [, port] = await until(() => /127\.0\.0\.1:(\d+) ->/.exec(text) ?? false, "kubectl forwards a port", 30_000)
    return await use(port!)
  } finally {
    forward.kill()
  }
}

const weigh = (port: string) =>
  fetch(`http://127.0.0.1:${port}/weigh?compare=true`, { signal: AbortSignal.timeout(120_000) }).then(
    async (response) => {
      const text = await response.text()
      assert.equal(response.status, 200, text)
      return text
    }
  )

try {
  say(`building the image ${image}`)
  const built = await build(folder)
  if (tools.kube !== undefined) {
    // The base image of `kube` has the libraries that Node needs. The minifier's native part needs two more.
    for (const library of ["librt.so.1", "libgcc_s.so.1"]) {
      cpSync(`/lib/x86_64-linux-gnu/${library}`, join(folder, "lib", library), { dereference: true })
    }
  }
  const libraries = tools.kube === undefined ? {} : { LD_LIBRARY_PATH: "/app/lib" }
  makeImage(tools, image, folder, { env: { ...libraries, ...built.variables("/app") } })

  say("weighing here, on child processes")
  const packages = join(folder, "node_modules")
  const main = here("../weigh/main.ts")
  const local = execFileSync(process.execPath, [main, packages, "--compare", "--top", "10"], { encoding: "utf8" })

  say(`deploying to namespace ${namespace}, weighing there, on pods`)
  kubectl(["apply", "-f", "-"], manifest())
  kubectl(["rollout", "status", "-n", namespace, "deployment/weigh", "--timeout=120s"])
  let pods: ReadonlyArray<string> = []
  const remote = await forwarded(async (port) => {
    const weighed = weigh(port)
    let isOver = false
    void weighed.catch(() => {}).then(() => (isOver = true))
    const look = () => (pods = objects("pods", "-l", "flame.dev/role=runner")).length > 0 || isOver
    await until(look, "there are runners", 60_000)
    return weighed
  })
  console.log(`\n${remote}`)
  assert.match(pods.join(), /pod\//, "it ran on pods")
  assert.equal(tableOf(remote), tableOf(local), "the same table there as here")

  console.table({ "child processes, here": timesOf(local), "pods, in the cluster": timesOf(remote) })

  // Idle runners end without a request.
  await until(() => objects("pods", "-l", "flame.dev/role=runner").length === 0, "the runners are gone", 60_000)
  kubectl(["scale", "-n", namespace, "deployment/weigh", "--replicas=0"])
  await until(() => [...objects("pods"), ...objects("secrets")].length === 0, "nothing is left", 60_000)
  console.log("ok: the same table, and nothing is left")
} catch (error) {
  console.error(error)
  try {
    console.error(kubectl(["get", "pods,events", "-n", namespace]))
    console.error(kubectl(["logs", "-n", namespace, "deployment/weigh", "--tail=50"]))
  } catch {
    // The run failed before it created the deployment.
  }
  process.exitCode = 1
} finally {
  kubectl(["delete", "namespace", namespace, "--ignore-not-found", "--wait=false"])
  rmSync(folder, { recursive: true, force: true })
}
process.exit()
