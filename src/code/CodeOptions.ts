/** The options that say which code runners get. */

/**
 * The code that a parent sends to its runners.
 *
 * @since 0.1.0
 * @category options
 */
export interface CodeOptions {
  /**
   * The file that runners run: a `file:` URL, or a path from the current directory. Default: the `entry` of the layer, else
   * the program that calls `Flame.main`.
   */
  readonly entry?: string | URL
  /**
   * Packages that are not sent, because the image of runners has them. A name covers what lies below it: `sharp` covers
   * `sharp/lib`. Default: none.
   */
  readonly external?: ReadonlyArray<string>
  /**
   * Files and folders that are sent beside the code: paths from the folder of the entry. A runner finds them at the same
   * path from `import.meta.dirname` of the entry. Files that the code names by `new URL("./file", import.meta.url)` are
   * sent without being listed. Default: none.
   */
  readonly assets?: ReadonlyArray<string>
  /** The largest code that is sent, in bytes. Default 64 MiB. */
  readonly maxCode?: number
}

/** 64 MiB. */
export const defaultMaxCode = 64 * 1024 * 1024
