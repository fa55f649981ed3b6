/** The reason that a runner itself gave before it ended, where it has no connection: in a file, or what stands for one. */
import type { BootFailure } from "../error/BootFailure.ts"
import { reportPrefix } from "../process/Role.ts"
import { decodeFailure } from "../wire/Handshake.ts"

/**
 * The failure in a report; undefined where the text is anything else, such as the end of a log.
 *
 * @since 0.1.0
 * @category backends
 */
export const reportOf = (text: string | undefined): BootFailure | undefined =>
  text?.startsWith(reportPrefix) === true ? decodeFailure(Buffer.from(text.slice(reportPrefix.length))) : undefined
