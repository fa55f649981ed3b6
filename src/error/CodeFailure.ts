/**
 * The causes of a failed boot of a runner whose code its parent sends. No later try can succeed without a change, so
 * callers fail at once.
 */
import * as Schema from "effect/Schema"

/** A number of bytes for people: `12.3 MB`. */
const spokenSize = (bytes: number): string =>
  bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`

/**
 * The program could not be made into the code that runners get: a file does not resolve or parse, or there is no bundler.
 *
 * @since 0.1.0
 * @category errors
 */
export class CodeUnbundled extends Schema.TaggedError<CodeUnbundled>()("CodeUnbundled", {
  /** The entry that was to be bundled. */
  entry: Schema.String,
  /** The words of the bundler, with the file and the line, and what to do. */
  detail: Schema.String
}) {
  override get message() {
    return `the code for runners could not be made of ${this.entry}: ${this.detail}`
  }
}

/**
 * The program imports a package that works only as installed files: it has a native addon, or reads files of its own.
 *
 * @since 0.1.0
 * @category errors
 */
export class CodeNative extends Schema.TaggedError<CodeNative>()("CodeNative", {
  /** Name of the package, or the path of the addon. */
  package: Schema.String,
  /** How that is known, and which file imports the package. */
  detail: Schema.String
}) {
  override get message() {
    return `${this.package} cannot be sent to runners: ${this.detail}; install it in an image, name that image in the option \`image\`, and name the package in \`code: { external: ["${this.package}"] }\``
  }
}

/**
 * The code is larger than `maxCode`.
 *
 * @since 0.1.0
 * @category errors
 */
export class CodeTooLarge extends Schema.TaggedError<CodeTooLarge>()("CodeTooLarge", {
  /** Size of the code in bytes. */
  size: Schema.Int,
  /** The limit in bytes. */
  limit: Schema.Int,
  /** The largest files of the code with their sizes, for people. */
  largest: Schema.String
}) {
  override get message() {
    return `the code for runners has ${spokenSize(this.size)}, the limit is ${spokenSize(this.limit)}; its largest files are ${this.largest}: put large files or packages into an image, or raise \`maxCode\``
  }
}

/**
 * The code that a runner got, or asked for, is not the code whose hash is in its command line.
 *
 * @since 0.1.0
 * @category errors
 */
export class CodeMismatch extends Schema.TaggedError<CodeMismatch>()("CodeMismatch", {
  /** The SHA-256 in the command line of the runner, in hex. */
  expected: Schema.String,
  /** The SHA-256 of the code that the parent has or has sent. */
  found: Schema.String
}) {
  override get message() {
    return `the runner was started for code ${this.expected.slice(0, 12)}, but its parent has ${this.found.slice(0, 12)}: look whether something changes the arguments of its container, or the bytes on the way`
  }
}

/**
 * The code imports a module that neither the code nor the image of the runner has.
 *
 * @since 0.1.0
 * @category errors
 */
export class CodeUnresolved extends Schema.TaggedError<CodeUnresolved>()("CodeUnresolved", {
  /** The name by which the module is imported. */
  specifier: Schema.String,
  /** The directory of the runner from which the module was looked for. */
  directory: Schema.String,
  /** The words of Node. */
  detail: Schema.String
}) {
  override get message() {
    return `the runner does not find ${this.specifier}, which its code imports: ${this.detail}; install it in the image below ${this.directory}, or take it out of \`external\``
  }
}

/**
 * The runner has no directory to write the files of its code to. Only code with assets or worker threads needs one.
 *
 * @since 0.1.0
 * @category errors
 */
export class CodeUnwritten extends Schema.TaggedError<CodeUnwritten>()("CodeUnwritten", {
  /** The directory that was tried. */
  directory: Schema.String,
  /** The words of the system. */
  detail: Schema.String
}) {
  override get message() {
    return `the runner cannot write the files of its code to ${this.directory}: ${this.detail}; give its pod an emptyDir there, or set TMPDIR in \`env\` to a directory that it may write to`
  }
}

/**
 * The Node of the runner is older than this library supports.
 *
 * @since 0.1.0
 * @category errors
 */
export class NodeTooOld extends Schema.TaggedError<NodeTooOld>()("NodeTooOld", {
  /** The version of Node that the runner has. */
  found: Schema.String,
  /** The oldest version that will do. */
  needed: Schema.String
}) {
  override get message() {
    return `the runner has Node ${this.found}, and effect-flame needs ${this.needed} or newer: use an image with a newer Node`
  }
}

/** Any of these causes. */
export type CodeFailure =
  | CodeUnbundled
  | CodeNative
  | CodeTooLarge
  | CodeMismatch
  | CodeUnresolved
  | CodeUnwritten
  | NodeTooOld
