/** Modules of Node as `require` gives them, for what a runner loads at its start. */

/**
 * A module of Node by its name, such as `node:util`.
 *
 * An `import` of it would evaluate all its lazy parts, streams of stderr or every root certificate among them, for the one
 * function that is wanted: together some 8 ms of CPU of a runner's boot, and 6 more where it dials by TLS.
 */
export const builtin: typeof process.getBuiltinModule = process.getBuiltinModule
