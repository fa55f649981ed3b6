/** The image of runners: the parent's, pinned to its digest. */

const withoutTag = (image: string): string => {
  const name = image.split("@")[0] ?? image
  const colon = name.lastIndexOf(":")
  // A colon before the last slash belongs to the registry's port.
  return colon > name.lastIndexOf("/") ? name.slice(0, colon) : name
}

/** The full name of a repository: `node` is `docker.io/library/node`. */
const canonical = (repository: string): string => {
  const [first = "", ...rest] = repository.split("/")
  if (rest.length === 0) return `docker.io/library/${first}`
  const isRegistry = /[.:]/.test(first) || first === "localhost"
  if (!isRegistry) return `docker.io/${repository}`
  return first === "index.docker.io" ? ["docker.io", ...rest].join("/") : repository
}

/**
 * The parent's image, pinned to the digest by which the kubelet pulled it.
 *
 * An image that was loaded into the node has no digest of a registry: its id is that of its configuration, or of another
 * repository. No node would find such a reference, so the image of the specification stays.
 */
export const pinned = (image: string, imageId: string | undefined): string => {
  if (image.includes("@")) return image
  const [, name, digest] = /^(?:[a-z-]+:\/\/)?(.+)@(sha256:[0-9a-f]{64})$/.exec(imageId ?? "") ?? []
  if (name === undefined || digest === undefined) return image
  const repository = withoutTag(image)
  return canonical(name) === canonical(repository) ? `${repository}@${digest}` : image
}
