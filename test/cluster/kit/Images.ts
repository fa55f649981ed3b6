/** Builds images of the test apps, bundled as a deployment would be. Each run has tags of its own. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { stockImage } from "../../../src/code/RunnerProgram.ts"
import { giveStockImage, imageName, makeImage, type Tools } from "./Tools.ts"
import { bundle } from "../../../scripts/bundle.ts"

export interface Images {
  /**
   * The image with parent and runner in one entry, `app.mjs`. Further entries are only runners: `runner.mjs`,
   * `suites.mjs` with the functions of suites for all backends, and the entries after it.
   */
  readonly app: string
  /** The same program as another build. */
  readonly other: string
  /** A parent that keeps runners busy and shows its status. */
  readonly operated: string
  /** The folder of the bundles on this machine. */
  readonly folder: string
}

const apps = join(import.meta.dirname, "../apps")
const programs = join(import.meta.dirname, "../../fixtures")

const entries = {
  app: join(apps, "app.ts"),
  runner: join(apps, "runner.ts"),
  suites: join(apps, "suites.ts"),
  owner: join(apps, "owner.ts"),
  operated: join(apps, "operated.ts"),
  groups: join(programs, "conformance-rpc/runner.ts"),
  place: join(programs, "conformance-place/runner.ts"),
  // These programs serve if they are the entry.
  logs: join(programs, "conformance-process/runner-logs.ts"),
  otlp: join(programs, "conformance-process/runner-otlp.ts")
}

/** Bundles the test apps and loads the images into all nodes. */
export const make = async (tools: Tools, run: string): Promise<Images> => {
  const folder = mkdtempSync(join(tmpdir(), "flame-images-"))
  const empty = mkdtempSync(join(tmpdir(), "flame-empty-"))
  giveStockImage(tools, stockImage().image, empty)
  rmSync(empty, { recursive: true })
  await bundle(entries, folder)
  const image = (name: string, env: Readonly<Record<string, string>> = {}, entry = "app.mjs"): string => {
    const tagged = `localhost/flame-test-${name}:${run}`
    makeImage(tools, tagged, folder, { entrypoint: ["node", entry], env })
    return imageName(tools, tagged)
  }
  return {
    app: image("app"),
    other: image("other", { TEST_OTHER: "1" }),
    operated: image("operated", {}, "operated.mjs"),
    folder
  }
}

/** Deletes the bundles. The images stay on the nodes, which cannot remove them. */
export const forget = ({ folder }: Images): void => rmSync(folder, { recursive: true, force: true })
