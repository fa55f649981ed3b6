/** Pure: the output of `gc`. */
import type { Judged, Leftover } from "../cluster/Leftovers.ts"
import { count } from "../../time/Spoken.ts"
import { printableLine } from "../../error/PeerText.ts"
import { age, type Paint, table } from "./Style.ts"

/** The namespace that was looked at. */
export interface Where {
  readonly namespace: string
  readonly server: string
  /** Milliseconds of the API server's clock. */
  readonly now: number
}

/** An object that could not be deleted, and why. */
export interface NotDeleted {
  readonly leftover: Leftover
  readonly why: string
}

/** The end of `gc`: what was deleted, and what was not. With `--dry-run` both are empty. */
export interface Outcome {
  readonly isDryRun: boolean
  readonly deleted: ReadonlyArray<Leftover>
  readonly failed: ReadonlyArray<NotDeleted>
}

const plain = (now: number) => (leftover: Leftover) => ({
  ...leftover,
  createdAt: new Date(leftover.createdAt).toISOString(),
  ageMillis: Math.max(0, now - leftover.createdAt)
})

/** The document of `gc --json`. */
export const document = ({ gone, unsure }: Judged, outcome: Outcome, { namespace, now, server }: Where) => ({
  version: 1,
  kind: "gc",
  server,
  namespace,
  at: new Date(now).toISOString(),
  dryRun: outcome.isDryRun,
  left: gone.map(plain(now)),
  deleted: outcome.deleted.map(plain(now)),
  failed: outcome.failed.map(({ leftover, why }) => ({ ...plain(now)(leftover), why })),
  unsure: unsure.map(plain(now))
})

/** The table of objects. */
const listed = (all: ReadonlyArray<Leftover>, now: number, paint: Paint, width: number): ReadonlyArray<string> =>
  table(
    paint,
    ["KIND", "NAME", "PARENT", "AGE", "WHY"],
    all.map(({ createdAt, kind, name, owner, reason }) => [kind, name, owner, age(now - createdAt), reason]),
    width,
    true
  )

/** The screen of `gc`. */
export const screen = (
  { gone, unsure }: Judged,
  { deleted, failed, isDryRun }: Outcome,
  { namespace, now }: Where,
  paint: Paint,
  width: number
): ReadonlyArray<string> => [
  ...(gone.length === 0
    ? [paint("good", `nothing is left of parents that are gone in namespace ${namespace}`)]
    : [
        `${count(gone.length, "object")} of parents that are gone in namespace ${namespace}`,
        "",
        ...listed(gone, now, paint, width),
        "",
        isDryRun
          ? "nothing was deleted: run `effect-flame gc` without --dry-run to delete exactly these"
          : `deleted ${count(deleted.length, "object")}`
      ]),
  ...failed.map(({ leftover, why }) =>
    paint("bad", `not deleted: ${leftover.kind} ${leftover.name}: ${printableLine(why)}`)
  ),
  ...(unsure.length === 0
    ? []
    : ["", `${count(unsure.length, "object")} left alone, without proof that the parent is gone:`, ""].concat(
        listed(unsure, now, paint, width)
      ))
]
