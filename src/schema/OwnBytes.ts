/** Ownership of bytes: others may see a buffer, and may take its memory away. */

/** Whether bytes are a buffer of their own, which nobody else can see through another view. */
export const isWhole = ({ buffer, byteLength }: Uint8Array): boolean =>
  byteLength === buffer.byteLength && buffer instanceof ArrayBuffer && !buffer.resizable

/** Whether the memory of bytes was taken away: transferred to another thread, or left by a WebAssembly memory that grew. */
export const isDetached = ({ buffer, byteLength }: Uint8Array): boolean =>
  // only what is empty can be so
  byteLength === 0 && (buffer as { readonly detached?: boolean }).detached === true

/** The problem of bytes that could not be sent. */
export const detachedProblem = "its memory was detached before it had left: keep the buffer until the call has ended"
