/** The reason that a runner itself gave before it ended, in its container's termination message. */
import type { BootFailure } from "../BootFailure.ts"
import { decodeFailure } from "../wire/Handshake.ts"

/** What such a message begins with; the failure in JSON follows. */
export const reportPrefix = "effect-flame:"

/** The failure in a termination message; undefined where it is anything else, such as the end of a log. */
export const reportOf = (message: string | undefined): BootFailure | undefined =>
  message?.startsWith(reportPrefix) === true
    ? decodeFailure(Buffer.from(message.slice(reportPrefix.length)))
    : undefined
