/**
 * The start of a process whose modules may have loaded into a V8 snapshot (`code/snapshot`).
 *
 * The modules of a snapshot load once, in the process that makes it. Each runner then begins with these modules loaded.
 * So steps that depend on the process, such as reading its environment, wait here for the start of the runner.
 */

/** Name of the symbol of the global by which a snapshot and its modules know each other. */
export const snapshotKey = "effect-flame/snapshot"

/** The global of a snapshot. `code/snapshot/SnapshotScript.ts` makes it, and runs the steps and then the program. */
export interface Snapshot {
  readonly steps: Array<() => void>
  readonly programs: Array<() => void>
  /** Whether a runner has started from the snapshot. */
  isStarted: boolean
}

const snapshot = (globalThis as { readonly [key: symbol]: Snapshot | undefined })[Symbol.for(snapshotKey)]

/** Whether the modules of this program loaded into a snapshot. */
export const isSnapshot: boolean = snapshot !== undefined

/** Whether this process makes a snapshot, so that its role, environment and directory are not those of a runner. */
export const isMaking = (): boolean => snapshot?.isStarted === false

/** Runs a step that depends on the process: now, or when a runner starts from the snapshot. */
export const onStart = (step: () => void): void => {
  if (snapshot === undefined) step()
  else snapshot.steps.push(step)
}

/** Runs the program: now, or after all steps when a runner starts from the snapshot. */
export const runAtStart = (program: () => void): void => {
  if (snapshot === undefined) program()
  else snapshot.programs.push(program)
}
