/** Identity of this process among its earlier and later starts. */
import { onStart } from "./SnapshotStart.ts"

/** Eight random hexadecimal characters, chosen once per process. Runners and pods that carry another life are not ours. */
export let life = ""

// Drawn at the start: all runners of a snapshot would have the same life otherwise.
onStart(() => {
  life = crypto.randomUUID().slice(0, 8)
})
