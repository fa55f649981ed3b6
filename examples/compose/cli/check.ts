/** Runs the command on two files with two runners, asks for help, and names a file that is not there. */
import { strict as assert } from "node:assert"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { run } from "../run.ts"

const folder = mkdtempSync(join(tmpdir(), "compose-cli-"))
try {
  const files = ["a rose", "is a rose is a rose"].map((text, index) => {
    const file = join(folder, `${index}.txt`)
    writeFileSync(file, text)
    return file
  })
  const said = await run("cli", ["words", "--runners", "2", ...files])
  assert.ok(said.includes(`2 ${files[0]}`) && said.includes(`6 ${files[1]}`), said)
  assert.match(await run("cli", ["words", "--help"]), /--runners/)
  await assert.rejects(run("cli", ["words", join(folder, "none.txt")]), /none\.txt/)
  console.log("ok: a command counts on runners, and its help and its errors are those of the parent")
} finally {
  rmSync(folder, { recursive: true })
}
