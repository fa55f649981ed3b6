/** An image and a namespace on a cluster for the checks of examples. Both are removed at the end. */
import { strict as assert } from "node:assert"
import { execFileSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fillCompileCache, compileCache } from "../scripts/compile-cache.ts"
import { bundle } from "../scripts/bundle.ts"
import { findCluster, makeImage } from "../test/cluster/kit/Tools.ts"

/** Arguments and environment with which a program has its runners on the cluster. */
export interface There {
  readonly args: ReadonlyArray<string>
  readonly env: NodeJS.ProcessEnv
}

/** User id of the image's programs. */
const user = 65532

/**
 * Makes an image whose `main.mjs` is the program, and a namespace. `add` may add files to the image. Fails if a pod or a
 * Secret is left in the namespace at the end.
 */
export const onCluster = async (
  name: string,
  main: string,
  add: (folder: string) => Promise<unknown>,
  use: (there: There) => void
): Promise<void> => {
  const tools = findCluster()
  const run = randomBytes(3).toString("hex")
  const namespace = `${name}-${run}`
  const image = `localhost/${name}:${run}`
  const folder = mkdtempSync(join(tmpdir(), `${name}-image-`))
  const kubeconfig = `${folder}.kubeconfig`
  const env = { ...process.env, KUBECONFIG: tools.kubeconfig }
  const kubectl = (...args: ReadonlyArray<string>) => execFileSync(tools.kubectl, args, { env, encoding: "utf8" })
  try {
    await bundle({ main }, folder)
    await add(folder)
    await fillCompileCache(join(folder, "main.mjs"), user)
    makeImage(tools, image, folder, { env: compileCache("/app") })
    kubectl("create", "namespace", namespace)
    kubectl("wait", "--for=create", "-n", namespace, "serviceaccount/default", "--timeout=30s")
    writeFileSync(kubeconfig, kubectl("config", "view", "--raw", "--minify", "--flatten"), { mode: 0o600 })
    kubectl("config", "set-context", "--current", `--namespace=${namespace}`, `--kubeconfig=${kubeconfig}`)
    use({ args: ["--kubernetes", image], env: { ...env, KUBECONFIG: kubeconfig } })
    assert.equal(kubectl("get", "pods,secrets", "-n", namespace, "-o", "name"), "", "nothing is left there")
  } finally {
    kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")
    rmSync(folder, { recursive: true, force: true })
    rmSync(kubeconfig, { force: true })
  }
}
