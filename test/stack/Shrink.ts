/** Shrinks a schedule to fewer steps that still break a rule. */
import { play } from "./Play.ts"
import { render, type Schedule } from "./Schedule.ts"

export interface Finding {
  readonly schedule: Schedule
  readonly broken: string
}

/** Removes steps while the rest still breaks a rule: first halves, then smaller pieces, down to single steps. */
export const shrink = async (
  schedule: Schedule,
  broken: string,
  judge: (schedule: Schedule) => Promise<string | undefined> = async (less) => (await play(less)).broken
): Promise<Finding> => {
  let best: Finding = { schedule, broken }
  for (let size = Math.ceil(schedule.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.schedule.steps.length;) {
      const less = { ...schedule, steps: best.schedule.steps.toSpliced(from, size) }
      const still = await judge(less)
      if (still === undefined) from += size
      else best = { schedule: less, broken: still }
    }
  }
  return best
}

/** A finding as text, with the command that reproduces it. */
export const describe = (length: number, { broken, schedule }: Finding): string =>
  [
    broken,
    `seed ${schedule.seed}, again: npm run sim:stack -- --seed ${schedule.seed} --schedules 1 --length ${length}`,
    `options ${JSON.stringify(schedule.options)}`,
    `shrunk to ${schedule.steps.length} steps:`,
    ...schedule.steps.map((step) => `  ${render(step)}`)
  ].join("\n")
