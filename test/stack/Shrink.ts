/** The shortest form of a schedule that still breaks a rule. */
import { play } from "./Play.ts"
import { render, type Schedule } from "./Schedule.ts"

export interface Finding {
  readonly schedule: Schedule
  readonly broken: string
}

/** Leaves out steps while what is left still breaks a rule: halves first, then ever smaller pieces, down to one. */
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

/** A finding for people, with the command that shows it again. */
export const describe = (length: number, { broken, schedule }: Finding): string =>
  [
    broken,
    `seed ${schedule.seed}, again: npm run sim:stack -- --seed ${schedule.seed} --schedules 1 --length ${length}`,
    `options ${JSON.stringify(schedule.options)}`,
    `shrunk to ${schedule.steps.length} steps:`,
    ...schedule.steps.map((step) => `  ${render(step)}`)
  ].join("\n")
