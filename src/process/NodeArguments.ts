/**
 * The Node options of a program that its runners get: all except those that would hurt a second process.
 *
 * A runner must not fight for the debugger's port, watch files, report tests, run `-e` again or overwrite a profile.
 */

const families = [
  "--inspect",
  "--debug-port",
  "--watch",
  "--test",
  "--experimental-test",
  "--cpu-prof",
  "--heap-prof",
  "--prof",
  "--trace-event",
  // The variables of the file are in the environment already, and a removed one must not return.
  "--env-file"
]

const single = new Set([
  "-e",
  "--eval",
  "-p",
  "--print",
  "-pe",
  "-c",
  "--check",
  "-i",
  "--interactive",
  "--input-type",
  "--entry-url",
  "--experimental-entry-url",
  "--run"
])

const hurts = (argument: string): boolean => {
  // Node accepts `--cpu_prof` for `--cpu-prof`.
  const name = argument.split("=", 1)[0]!.replaceAll("_", "-")
  return single.has(name) || families.some((family) => name === family || name.startsWith(`${family}-`))
}

/** Options without those that would hurt a second process, each with its value: `--flag=value` or `--flag value`. */
export const filter = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const kept: Array<string> = []
  let dropping = false
  for (const argument of args) {
    // Node takes no value that begins with a dash, and these arguments contain no script, so all others are values.
    if (argument.startsWith("-")) dropping = hurts(argument)
    if (!dropping) kept.push(argument)
  }
  return kept
}

/** `filter` for the text of `NODE_OPTIONS`. Empty if no option remains. */
export const filterText = (text: string): string => filter(parse(text)).map(quote).join(" ")

/** Cuts `NODE_OPTIONS` as Node does: at spaces outside of double quotes, with backslash as escape inside of them. */
export const parse = (text: string): ReadonlyArray<string> => {
  const args: Array<string> = []
  let current: string | undefined
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (quoted && char === "\\" && i + 1 < text.length) current += text[++i]!
    else if (char === '"') {
      quoted = !quoted
      current ??= ""
    } else if (char === " " && !quoted) {
      if (current !== undefined) args.push(current)
      current = undefined
    } else current = (current ?? "") + char
  }
  if (current !== undefined) args.push(current)
  return args
}

const quote = (argument: string): string =>
  /[ "]/.test(argument) || argument === "" ? `"${argument.replace(/["\\]/g, "\\$&")}"` : argument

/** Whether options load modules ahead of the entry, whose names Node resolves from the directory of the process. */
export const loadsModules = (args: ReadonlyArray<string>): boolean =>
  args.some((argument) => /^(-r|--require|--import|--loader|--experimental[-_]loader)(=|$)/.test(argument))

/** Options that concern files of this machine, or how its sources are loaded: code that was bundled needs none of them. */
const ofSources =
  /^(-r|--require|--import|--loader|--experimental[-_]loader|-C|--conditions|--experimental[-_](strip|transform)[-_]types|--enable[-_]source[-_]maps|--preserve[-_]symlinks.*|--env-file.*)(=|$)/

/** Options for a runner on another machine, which gets bundled code: those that concern V8 and the behaviour of Node. */
export const forBundle = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const kept: Array<string> = []
  let dropping = false
  for (const argument of filter(args)) {
    if (argument.startsWith("-")) dropping = ofSources.test(argument)
    if (!dropping) kept.push(argument)
  }
  return kept
}

/** The conditions by which these options resolve packages. */
export const conditions = (args: ReadonlyArray<string>): ReadonlyArray<string> =>
  args.flatMap((argument, index) => {
    const [, glued] = /^(?:--conditions=|-C=)(.+)$/.exec(argument) ?? []
    if (glued !== undefined) return [glued]
    return argument === "-C" || argument === "--conditions" ? args.slice(index + 1, index + 2) : []
  })

/** The heap's limit as the options give it, for people; the last one counts. */
export const heapLimit = (args: ReadonlyArray<string>): string | undefined =>
  args.findLast((argument) => /^--max[-_](old[-_]space[-_]size|heap[-_]size)/.test(argument))
