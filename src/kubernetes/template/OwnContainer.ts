/** Finds the container that this process runs in, by the traces of the kubelet and the container runtime in `/proc`. */
import { readFileSync } from "node:fs"
import type { Pod } from "../object/KubeObjects.ts"

/** The mounts and the control groups of a process, as `/proc` shows them. */
export interface Traces {
  readonly mountinfo: string
  readonly cgroup: string
}

const textOf = (file: string): string => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
}

/** Reads the traces of this process; empty if the system has none. */
export const read = (): Traces => ({
  mountinfo: textOf("/proc/self/mountinfo"),
  cgroup: textOf("/proc/self/cgroup")
})

/** The kubelet mounts a file of `pods/UID/containers/NAME/` as the termination log of each container. */
const terminationLog = /\/?pods\/[^/]+\/containers\/([^/]+)\/[^/]+$/

/** Ids of containers. */
const containerId = /[0-9a-f]{64}/g

/** The container of the pod that left these traces; undefined if the traces name none. */
export const nameIn = (pod: Pod, { cgroup, mountinfo }: Traces): string | undefined => {
  const isThere = (name: string): boolean => pod.spec.containers.some((container) => container.name === name)
  for (const line of mountinfo.split("\n")) {
    const name = terminationLog.exec(line.split(" ")[3] ?? "")?.[1]
    if (name !== undefined && isThere(name)) return name
  }
  // a control group is named after the container's id, unless the process sees a namespace of its own
  const ids = cgroup.match(containerId) ?? []
  return pod.status?.containerStatuses?.find(({ containerID = "" }) => ids.some((id) => containerID.endsWith(id)))?.name
}
