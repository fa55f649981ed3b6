/** Options of pods whose runners get their code from their parent, and not from their image. */
import type { Code } from "../../code/PreparedCode.ts"
import type { CodeOptions } from "../../code/CodeOptions.ts"
import * as RunnerProgram from "../../code/RunnerProgram.ts"
import type { PodOptions } from "./PodOptions.ts"
import type { PodTemplate } from "./PodTemplate.ts"

/** Where the code of runners comes from. */
export interface CodeChoice {
  /**
   * `"image"`: the image of the runners has the program. `"sync"`, or an object: the parent sends the code of the program
   * that calls `Flame.main`, and the image needs Node alone.
   *
   * Default: `"image"` in a pod, and elsewhere where an image is named. Without an image, outside of the cluster: `"sync"`,
   * on the image `node:MAJOR-slim` of this process's Node. With `"sync"` the option `command` is what starts Node, default
   * `["node"]`.
   */
  readonly code?: "image" | "sync" | CodeOptions
}

/** Annotation: SHA-256 of the code. */
export const codeAnnotation = "flame.dev/code"

const hasImage = ({ image, manifest }: PodOptions): boolean =>
  image !== undefined ||
  (typeof manifest === "object" &&
    manifest.spec?.containers?.some((container) => container.image !== undefined) === true)

/** The code that is to be sent; undefined if the image has it. */
export const choiceOf = (options: PodOptions & CodeChoice, isInCluster: boolean): CodeOptions | undefined => {
  const { code = isInCluster || hasImage(options) || options.command !== undefined ? "image" : "sync" } = options
  if (code === "image") return undefined
  return code === "sync" ? {} : code
}

/**
 * The options of pods that get this code. `build`: the name of the parent's build, which a runner cannot compute without an
 * entry file.
 */
export const withCode = (options: PodOptions, code: Code, build: string, isInCluster: boolean): PodOptions => {
  const isStock = !isInCluster && !hasImage(options)
  const { image, user } = RunnerProgram.stockImage()
  const args = options.args ?? process.argv.slice(2)
  return {
    ...options,
    ...(isStock
      ? {
          image,
          securityContext: { runAsUser: user, runAsGroup: user, runAsNonRoot: true, ...options.securityContext }
        }
      : {}),
    command: options.command ?? ["node"],
    // The kubelet reads `$(NAME)` as a reference, and `$$` as `$`.
    args: RunnerProgram.nodeArguments(code, args).map((arg) => arg.replaceAll("$", "$$$$")),
    env: { FLAME_BUILD: build, ...options.env },
    annotations: { ...options.annotations, [codeAnnotation]: code.hash }
  }
}

/** Where a runner writes code that must lie on a disk. */
const scratch = { name: "flame-code", mountPath: "/tmp" }

/** The template with a directory for code that a runner writes, under a root that cannot be written. */
export const withScratch = (template: PodTemplate, { onDisk }: Pick<Code, "onDisk">): PodTemplate => {
  const { container, spec } = template
  const mounts = container.volumeMounts ?? []
  const isReadOnly = container.securityContext?.["readOnlyRootFilesystem"] === true
  if (!onDisk || !isReadOnly || mounts.some(({ mountPath }) => mountPath === scratch.mountPath)) return template
  return {
    ...template,
    spec: { ...spec, volumes: [...(spec.volumes ?? []), { name: scratch.name, emptyDir: {} }] },
    container: { ...container, volumeMounts: [...mounts, scratch] }
  }
}

/** Variables that the image or the kubelet sets, or that concern this machine only. */
const ofMachine = new Set([
  "PATH",
  "HOME",
  "USER",
  "SHELL",
  "PWD",
  "HOSTNAME",
  "LANG",
  "TERM",
  "TMPDIR",
  "NODE_OPTIONS"
])

/** Variables that the program names and this process has, but its runners do not get. */
export const missingVariables = (
  code: Pick<Code, "variables">,
  given: ReadonlyArray<string>,
  environment: NodeJS.ProcessEnv
): ReadonlyArray<string> =>
  code.variables.filter(
    (name) =>
      environment[name] !== undefined &&
      !given.includes(name) &&
      !ofMachine.has(name) &&
      !/^(FLAME_|POD_|KUBE|NODE_)/.test(name)
  )
