/** The options of `FlameStatus.layer` and `FlameStatus.routes`. */

/**
 * Options of `layer`.
 *
 * @since 0.1.0
 * @category options
 */
export interface StatusOptions {
  /**
   * The port on 127.0.0.1. Default 9346 in a pod, none elsewhere, because other users of a machine can reach its ports. 0
   * takes a free port; `false` listens on none.
   */
  readonly port?: number | false
  /** Whether to listen on a unix socket that only this user can open. Default true, but false in a pod. */
  readonly socket?: boolean
  /** Whether viewers may resize pools and drain runners. Default false. */
  readonly actions?: boolean
}

/**
 * Options of `routes`.
 *
 * @since 0.1.0
 * @category options
 */
export interface RoutesOptions {
  /** Where the page is. Its other paths are below. Default `/flame`. */
  readonly path?: `/${string}`
  /** Whether viewers may resize pools and drain runners. Default false. */
  readonly actions?: boolean
}
