/** Pure: the output of `doctor`. */
import type { Check, Status } from "../doctor/Check.ts"
import { count } from "../../time/Spoken.ts"
import { type Paint, type Tone, wrapped } from "./Style.ts"
import { printable, printableLine } from "../../error/PeerText.ts"

const marks: Readonly<Record<Status, readonly [Tone, string]>> = {
  ok: ["good", "\u2713"],
  warn: ["warn", "!"],
  fail: ["bad", "\u2717"],
  unknown: ["dim", "?"]
}

/** The lines of one check: the finding, and its fix. A fix is never wrapped here, because a person copies it. */
export const linesOf = (
  { fix, line, manifest, status }: Check,
  paint: Paint,
  width = Infinity
): ReadonlyArray<string> => {
  const [tone, mark] = marks[status]
  const mends = fix ?? (manifest === undefined ? undefined : "apply the manifest below")
  return [
    ...wrapped(printableLine(line), width - 2).map((text, at) => `${at === 0 ? paint(tone, mark) : " "} ${text}`),
    ...(mends === undefined ? [] : [`  ${paint("dim", "fix:")} ${paint("accent", printable(mends))}`])
  ]
}

const numberOf = (checks: ReadonlyArray<Check>, status: Status): number =>
  checks.filter((check) => check.status === status).length

/** Whether the first call would fail. */
export const hasFailed = (checks: ReadonlyArray<Check>): boolean => numberOf(checks, "fail") > 0

/** The manifests of all fixes, each once. */
export const manifestOf = (checks: ReadonlyArray<Check>): string =>
  [...new Set(checks.flatMap(({ manifest }) => (manifest === undefined ? [] : [manifest.trimEnd()])))].join("\n---\n")

/** The end of the screen: the manifests that mend, and the numbers. */
export const summary = (checks: ReadonlyArray<Check>, paint: Paint): ReadonlyArray<string> => {
  const manifest = manifestOf(checks)
  const failed = numberOf(checks, "fail")
  const open = [
    [numberOf(checks, "warn"), "warning"],
    [numberOf(checks, "unknown"), "unknown"]
  ] as const
  const more = open.flatMap(([number, noun]) =>
    number === 0 ? [] : [noun === "unknown" ? `${number} unknown` : count(number, noun)]
  )
  const isBlind = checks.some(({ name, status }) => name === "parent" && status === "unknown")
  const verdict =
    failed === 0
      ? isBlind
        ? paint("warn", "the parent could not be looked at, so that most is unknown")
        : paint("good", "the first call will work here, as far as these checks can tell")
      : paint("bad", `${count(failed, "check")} failed: the first call would fail`)
  return [
    ...(manifest === ""
      ? []
      : ["", paint("dim", "# pipe this into kubectl apply -f - (doctor --fix prints it alone)"), manifest]),
    "",
    [verdict, ...more].join(", ")
  ]
}

/** The document of `doctor --json`. */
export const document = (
  checks: ReadonlyArray<Check>,
  where: { readonly server: string; readonly namespace: string }
) => ({
  version: 1,
  kind: "doctor",
  ...where,
  ok: !hasFailed(checks),
  checks
})
