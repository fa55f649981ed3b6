/**
 * The body of a Defect frame that a parent relays to the runner whose function made the call.
 *
 * `u8 length | name of the runner where the call died | body of the runner's own Defect frame`
 */

const none = new Uint8Array(0)

/** Encodes the part before the defect. The name is cut to 255 bytes. An empty name encodes to nothing. */
export const encodeRunner = (runner: string): Uint8Array => {
  const name = Buffer.from(runner).subarray(0, 255)
  return name.length === 0 ? none : Buffer.concat([Buffer.from([name.length]), name])
}

/** Reads the name of the runner, and where the defect begins. */
export const decodeRunner = (body: Buffer): { readonly runner: string; readonly end: number } => {
  const end = 1 + (body[0] ?? 0)
  return { runner: body.toString("utf8", 1, end), end }
}
