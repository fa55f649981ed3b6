/** The thin door of runners: no more than a runner needs, so that it boots fast. */
export * as FlameRunner from "./FlameRunner.ts"
export { runMain } from "./runMain.ts"
