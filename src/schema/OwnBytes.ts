/** Ownership of bytes: other code may see a buffer, and may detach its memory. */

/** Whether bytes are a whole buffer, which no other view can see. */
export const isWhole = ({ buffer, byteLength }: Uint8Array): boolean =>
  byteLength === buffer.byteLength && buffer instanceof ArrayBuffer && !buffer.resizable

/** Whether the memory of bytes was taken away: transferred to another thread, or left by a WebAssembly memory that grew. */
export const isDetached = ({ buffer, byteLength }: Uint8Array): boolean =>
  // Only empty bytes can be detached.
  byteLength === 0 && (buffer as { readonly detached?: boolean }).detached === true

/** The problem of bytes inside a value that could not be encoded. */
export const detachedBytes = "has bytes whose memory was detached"

/** The problem of bytes that could not be sent. */
export const detachedProblem = "its memory was detached before it had left: keep the buffer until the call has ended"
