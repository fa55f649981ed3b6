/** Pure: the output of `build`. */
import { type Paint, table } from "./Style.ts"

/** The files that were written. */
export interface Made {
  readonly entry: string
  readonly files: ReadonlyArray<{ readonly name: string; readonly size: number }>
  /** Variables of the image, for the compile cache. */
  readonly variables: Readonly<Record<string, string>>
  /** The command of the image, for a snapshot. */
  readonly command?: ReadonlyArray<string>
}

/** The document of `build --json`. */
export const document = (made: Made) => ({ version: 1, kind: "build", ...made })

const kilobytes = (size: number): string => `${(size / 1_000).toFixed(1)} kB`

/** The screen of `build`. */
export const screen = (
  { command, entry, files, variables }: Made,
  paint: Paint,
  width: number
): ReadonlyArray<string> => [
  ...table(
    paint,
    ["FILE", "SIZE"],
    files.map(({ name, size }) => [name, kilobytes(size)]),
    width
  ),
  "",
  `run it with: node ${entry}`,
  ...(command === undefined ? [] : [`in the image, run it with: ${command.join(" ")}`]),
  ...Object.entries(variables).map(([name, value]) => `in the image, set ${name}=${value}`)
]
