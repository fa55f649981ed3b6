/** Tests on a real cluster: `npm run test:kubernetes`, and `npm run test:kubernetes:nightly` for tests that take minutes. */
import { defineConfig } from "vitest/config"
import { canStopNodes } from "./test/cluster/kit/Tools.ts"

const nightly = process.env["NIGHTLY"] === "1"
const folder = "test/cluster"
const serial = `${folder}/serial/**/*${nightly ? ".nightly" : ""}.test.ts`

// Tests that stop a kubelet or the API server need a cluster whose programs run on this machine.
const needsPrograms = [`${folder}/serial/{nodes,outage,restart}*.test.ts`, `${folder}/watch.nightly.test.ts`]
const elsewhere = canStopNodes() ? [] : needsPrograms

// Tests that hold the seconds that a user waits: beside one other file, so that they measure the library.
const timed = ["failing", "drill-outage"].map((name) => `${folder}/${name}.test.ts`)

const shared = {
  allowOnly: false,
  testTimeout: nightly ? 1_200_000 : 240_000,
  // creating a namespace on a busy cluster is slow
  hookTimeout: 120_000,
  env: { TEST_PATIENCE: "60000" }
}

export default defineConfig({
  test: {
    globalSetup: "test/cluster/kit/setup.ts",
    allowOnly: false,
    projects: [
      {
        test: {
          ...shared,
          name: "parallel",
          include: [`${folder}/**/*${nightly ? ".nightly" : ""}.test.ts`],
          exclude: [`${folder}/serial/**`, ...timed, ...elsewhere, ...(nightly ? [] : ["**/*.nightly.test.ts"])],
          // files mostly wait for the cluster, each in a namespace of its own
          maxWorkers: 4,
          sequence: { groupOrder: 0 }
        }
      },
      {
        test: {
          ...shared,
          name: "timed",
          include: nightly ? [] : timed,
          maxWorkers: 2,
          sequence: { groupOrder: 1 }
        }
      },
      {
        test: {
          ...shared,
          name: "serial",
          // these stop nodes and the API server, which all others need
          include: [serial],
          exclude: [...elsewhere, ...(nightly ? [] : ["**/*.nightly.test.ts"])],
          fileParallelism: false,
          sequence: { groupOrder: 2 }
        }
      }
    ]
  }
})
