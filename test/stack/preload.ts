/**
 * Loads the modules that the library imports on demand. An `import()` of a new module waits for the file system, which
 * is not part of virtual time.
 */
export const preload = (): Promise<unknown> =>
  Promise.all([
    import("../../src/call/GroupServer.ts"),
    import("../../src/function/GroupClient.ts"),
    import("../../src/pool/option/PoolEnvironment.ts"),
    import("../../src/pool/runtime/PoolLayer.ts"),
    import("../../src/call/peer/ServiceEnd.ts"),
    import("../../src/pool/runtime/ServicePlacing.ts"),
    import("../../src/runner/NestedChannels.ts"),
    import("../../src/runner/PlacedServer.ts")
  ])
