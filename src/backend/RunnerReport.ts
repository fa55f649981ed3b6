/** The reason that a runner without a connection wrote to a file before it ended. */
import type { BootFailure } from "../error/BootFailure.ts"
import { reportPrefix } from "../process/Role.ts"
import { decodeFailure } from "../wire/Handshake.ts"

/**
 * Reads the failure in a report. Undefined if the text is no report, such as the end of a log.
 *
 * @since 0.1.0
 * @category backends
 */
export const reportOf = (text: string | undefined): BootFailure | undefined =>
  text?.startsWith(reportPrefix) === true ? decodeFailure(Buffer.from(text.slice(reportPrefix.length))) : undefined
