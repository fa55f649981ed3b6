/**
 * Loads what the library loads on demand. An `import()` of a module that is not loaded yet waits for the file system, which
 * is no virtual time.
 */
export const preload = (): Promise<unknown> =>
  Promise.all([
    import("../../src/call/GroupServer.ts"),
    import("../../src/function/GroupClient.ts"),
    import("../../src/pool/option/PoolEnvironment.ts"),
    import("../../src/pool/runtime/PoolLayer.ts"),
    import("../../src/pool/runtime/ServiceEnd.ts"),
    import("../../src/pool/runtime/ServicePlacing.ts"),
    import("../../src/runner/PlacedServer.ts")
  ])
