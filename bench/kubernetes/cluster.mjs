// Sends requests to the API server as administrator, and makes bare pods. Uses no client library, whose time would count too.
import cp from "node:child_process"
import fs from "node:fs"
import https from "node:https"
import net from "node:net"
import path from "node:path"
import { findCluster, makeImage as image } from "../../test/cluster/kit/Tools.ts"

/** The address at which pods reach this machine. */
export const host = "10.244.0.1"

/** The resource requests of both kinds of pods. */
export const resources = { requests: { cpu: "20m", memory: "64Mi" } }
export const node = { "kubernetes.io/hostname": "node1" }

export const connectCluster = () => {
  const tools = findCluster()
  const env = { ...process.env, KUBECONFIG: tools.kubeconfig }
  const read = (...args) => cp.execFileSync(tools.kubectl, args, { env, encoding: "utf8" })
  const { clusters, users } = JSON.parse(read("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
  const bytes = (data) => data && Buffer.from(data, "base64")
  const agent = new https.Agent({
    keepAlive: true,
    ca: bytes(clusters[0].cluster["certificate-authority-data"]),
    cert: bytes(users[0].user["client-certificate-data"]),
    key: bytes(users[0].user["client-key-data"])
  })
  const request = (method, path, body) =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? "" : JSON.stringify(body)
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) }
      const sent = https.request(new URL(path, clusters[0].cluster.server), { agent, method, headers }, (response) => {
        const chunks = []
        response.on("data", (chunk) => chunks.push(chunk))
        response.on("end", () => {
          const answer = Buffer.concat(chunks).toString()
          if (response.statusCode >= 400 && response.statusCode !== 404)
            return reject(new Error(`${method} ${path}: ${response.statusCode} ${answer.slice(0, 300)}`))
          resolve({ status: response.statusCode, body: JSON.parse(answer) })
        })
      })
      sent.on("error", reject)
      sent.end(text)
    })
  return { tools, request }
}

/** Makes a namespace for this run, with a service account for a parent and the Secret of the bare pods. */
export const makeNamespace = async ({ request }, name) => {
  await request("POST", "/api/v1/namespaces", { metadata: { name } })
  const core = `/api/v1/namespaces/${name}`
  await request("POST", `${core}/secrets`, { metadata: { name: "bare" }, stringData: { key: "k".repeat(43) } })
  for (;;) {
    const { status } = await request("GET", `${core}/serviceaccounts/default`)
    if (status === 200) break
    await new Promise((later) => setTimeout(later, 50))
  }
  return () => request("DELETE", core)
}

/** Makes an image of a folder. */
export const makeImage = ({ tools }, name, folder, env = {}) => image(tools, name, folder, { env })

/** Listens for bare pods. `boot` makes a pod, and resolves when the pod has echoed a message. */
export const bareListener = async ({ request }, namespace, image) => {
  const dialled = new Map()
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {})
    socket.once("data", (data) => {
      const [name, , version] = String(data).trim().split(" ")
      dialled.get(name)?.({ socket, version })
    })
  })
  await new Promise((ready) => server.listen(0, "0.0.0.0", ready))
  const pods = `/api/v1/namespaces/${namespace}/pods`
  let count = 0
  const boot = async () => {
    const name = `bare-${count++}`
    const began = performance.now()
    const dialling = new Promise((resolve) => dialled.set(name, resolve))
    const made = await request("POST", pods, {
      metadata: { name },
      spec: {
        restartPolicy: "Never",
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        terminationGracePeriodSeconds: 1,
        nodeSelector: node,
        securityContext: { seccompProfile: { type: "RuntimeDefault" } },
        containers: [
          {
            name: "runner",
            image,
            command: ["node", "bare.mjs"],
            resources,
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
            env: [
              { name: "NAME", value: name },
              { name: "PARENT", value: `${host}:${server.address().port}` },
              { name: "KEY", valueFrom: { secretKeyRef: { name: "bare", key: "key" } } }
            ]
          }
        ]
      }
    })
    const created = performance.now() - began
    const { socket, version } = await dialling
    const connected = performance.now() - began
    socket.write("hi")
    await new Promise((back) => socket.once("data", back))
    const ms = performance.now() - began
    const uid = made.body.metadata.uid
    const remove = async () => {
      await request("DELETE", `${pods}/${name}?gracePeriodSeconds=1`)
      while ((await request("GET", `${pods}/${name}`)).status !== 404)
        await new Promise((later) => setTimeout(later, 100))
    }
    return { ms, created, connected, uid, version, remove }
  }
  return { boot, close: () => server.close() }
}

/** CPU seconds that all processes of a pod have used. Undefined where its control group is not visible from this machine. */
export const cpuOf = (uid) => {
  for (const root of ["/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup"]) {
    if (!fs.existsSync(root)) continue
    const found = cp.execFileSync("find", [root, "-maxdepth", "6", "-type", "d", "-name", `*pod${uid}*`], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"]
    })
    const folder = found.split("\n")[0]
    if (folder === "") continue
    const v1 = path.join(folder, "cpuacct.usage")
    if (fs.existsSync(v1)) return Number(fs.readFileSync(v1, "utf8")) / 1e9
    const v2 = fs.readFileSync(path.join(folder, "cpu.stat"), "utf8")
    return Number(/usage_usec (\d+)/.exec(v2)[1]) / 1e6
  }
}
