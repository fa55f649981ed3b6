/** A program as files that need nothing but Node. */
import type { CodeFile, CodeIndex } from "./CodePack.ts"

/** Files that make up a program, and the files that they were made of. */
export interface Program {
  readonly index: Omit<CodeIndex, "files">
  readonly files: ReadonlyArray<CodeFile>
  /** Paths of the files that the program was made of. */
  readonly inputs: ReadonlyArray<string>
  /** How the program was made, for people. */
  readonly made: string
  /** Names of variables of the environment that the user's own files read. */
  readonly variables: ReadonlyArray<string>
}
