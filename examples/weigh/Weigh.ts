/**
 * What weighing one package takes and gives: all that the parent knows of it.
 *
 * The code is in WeighLive.ts. Deep imports here, because a runner boots by loading this file too.
 */
import * as Schema from "effect/Schema"
import { Flame } from "effect-flame"

/** What a package weighs, in bytes; `raw`, `minified` and `brotli` are of its scripts only. */
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

/** Weighs the package in a folder; `idempotent`, because reading it again does no harm when a runner is lost. */
export const weigh = Flame.contract("weigh", {
  payload: { folder: Schema.String },
  success: Weight,
  error: Schema.Union([Unreadable, BrokenScript]),
  idempotent: true
})
