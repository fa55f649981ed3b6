/** The failure of a build whose program cannot be a V8 snapshot. */
import * as Schema from "effect/Schema"

/**
 * Modules of the program cannot be in a V8 snapshot. While they load, they hold an open handle, or read a value that differs
 * between the process that makes the snapshot and the runners.
 *
 * Fails `bundle` of `effect-flame/build`, never a boot.
 *
 * @since 0.1.0
 * @category errors
 */
export class SnapshotRefused extends Schema.TaggedError<SnapshotRefused>()("SnapshotRefused", {
  /** The entry whose snapshot was to be made. */
  entry: Schema.String,
  /** The modules, each with what it does while it loads, and where. */
  modules: Schema.Array(Schema.Struct({ module: Schema.String, detail: Schema.String }))
}) {
  override get message() {
    const list = this.modules.map(({ detail, module }) => `${module} ${detail}`).join("; ")
    return `no snapshot can be made of ${this.entry}: ${list}. Move this into a function or a layer, or build without \`snapshot\``
  }
}
