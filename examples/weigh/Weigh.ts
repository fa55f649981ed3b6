/**
 * The contract of weighing a package. The parent loads this file, and not the code in `WeighLive.ts`.
 *
 * Imports are deep, because runners load this file at boot.
 */
import * as Schema from "effect/Schema"
import { Flame } from "effect-flame"

/** Weight of a package in bytes. `raw`, `minified` and `brotli` count its scripts only. */
export const Weight = Schema.Struct({
  files: Schema.Int,
  bytes: Schema.Int,
  scripts: Schema.Int,
  raw: Schema.Int,
  minified: Schema.Int,
  brotli: Schema.Int
})
export type Weight = typeof Weight.Type

/** A file or folder of the package cannot be read. */
export class Unreadable extends Schema.TaggedError<Unreadable>()("Unreadable", {
  file: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `${this.file} cannot be read: ${this.problem}`
  }
}

/** A script of the package does not parse. */
export class BrokenScript extends Schema.TaggedError<BrokenScript>()("BrokenScript", {
  file: Schema.String,
  problem: Schema.String
}) {
  override get message() {
    return `${this.file} is not JavaScript: ${this.problem}`
  }
}

/** Weighs the package in a folder. `idempotent`: reading the folder twice does no harm, so a lost call is sent again. */
export const weigh = Flame.contract("weigh", {
  payload: { folder: Schema.String },
  success: Weight,
  error: Schema.Union([Unreadable, BrokenScript]),
  idempotent: true
})
