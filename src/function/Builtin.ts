/** Loads modules of Node by `require`, for the modules that a runner loads at its start. */

/**
 * A module of Node by its name, such as `node:util`.
 *
 * An `import` would evaluate all lazy parts of the module, such as the streams of stderr or every root certificate. That
 * costs 8 ms of CPU of a runner's boot, and 6 ms more where the runner dials by TLS.
 */
export const builtin: typeof process.getBuiltinModule = process.getBuiltinModule
