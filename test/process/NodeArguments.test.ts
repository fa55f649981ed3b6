import { assert, describe, it } from "@effect/vitest"
import * as NodeArguments from "../../src/process/NodeArguments.ts"

describe("NodeArguments", () => {
  it.each([
    ["--inspect"],
    ["--inspect=0.0.0.0:9229"],
    ["--inspect-brk=9229"],
    ["--inspect-wait"],
    ["--inspect-port", "9230"],
    ["--inspect-publish-uid=http"],
    ["--debug-port=9230"],
    ["--watch"],
    ["--watch-path=src"],
    ["--watch-path", "src"],
    ["--watch-preserve-output"],
    ["--watch-kill-signal", "SIGINT"],
    ["--test"],
    ["--test-reporter", "spec"],
    ["--test-reporter=spec"],
    ["--test-name-pattern", "it works"],
    ["--experimental-test-coverage"],
    ["--experimental-test-module-mocks"],
    ["-e", "console.log(1)"],
    ["--eval", "1"],
    ["--eval=1"],
    ["-p", "1"],
    ["--print", "1"],
    ["-pe", "1"],
    ["--input-type=module"],
    ["--input-type", "module"],
    ["-c"],
    ["--check"],
    ["-i"],
    ["--interactive"],
    ["--cpu-prof"],
    ["--cpu_prof"],
    ["--cpu-prof-dir", "profiles"],
    ["--cpu-prof-name=x"],
    ["--heap-prof"],
    ["--heap-prof-interval", "1024"],
    ["--prof"],
    ["--trace-event-categories", "v8"],
    ["--env-file=.env"],
    ["--env-file-if-exists", ".env"],
    ["--entry-url"]
  ])("takes %s %s away, and nothing beside it", (...args) => {
    const given = args.filter((argument) => typeof argument === "string")
    assert.deepStrictEqual(NodeArguments.filter(given), [])
    assert.deepStrictEqual(NodeArguments.filter(["--import", "./first.js", ...given, "--expose-gc"]), [
      "--import",
      "./first.js",
      "--expose-gc"
    ])
  })

  it.each([
    ["--import", "tsx"],
    ["--import=tsx"],
    ["--require", "./hook.cjs"],
    ["-r", "./hook.cjs"],
    ["--conditions", "development"],
    ["-C", "development"],
    ["--loader", "./loader.js"],
    ["--experimental-loader=./loader.js"],
    ["--experimental-strip-types"],
    ["--experimental-import-meta-resolve"],
    ["--max-old-space-size=64"],
    ["--max-old-space-size", "64"],
    ["--enable-source-maps"],
    ["--no-warnings"],
    ["--disable-warning=ExperimentalWarning"],
    ["--stack-trace-limit=50"],
    ["--heapsnapshot-signal=SIGUSR2"],
    ["--preserve-symlinks"],
    ["--trace-warnings"],
    ["--title=app"]
  ])("keeps %s %s", (...args) => {
    const given = args.filter((argument) => typeof argument === "string")
    assert.deepStrictEqual(NodeArguments.filter(["--watch", ...given]), given)
  })

  it.each([
    ["", ""],
    ["--inspect", ""],
    ["  --max-old-space-size=64   --inspect=0 ", "--max-old-space-size=64"],
    ['--require "./my hooks/first.js" --watch', '--require "./my hooks/first.js"'],
    ['--test-name-pattern "a b" --conditions=x', "--conditions=x"],
    ['--import="data:text/javascript,f(\\"a\\\\b\\")"', '"--import=data:text/javascript,f(\\"a\\\\b\\")"'],
    ["--import=C:\\x", "--import=C:\\x"]
  ])("filters NODE_OPTIONS %j as Node reads them", (text, expected) => {
    assert.strictEqual(NodeArguments.filterText(text), expected)
    assert.deepStrictEqual(NodeArguments.parse(expected), NodeArguments.filter(NodeArguments.parse(text)))
  })

  it("reads the heap limit from the last of several options", () => {
    assert.strictEqual(NodeArguments.heapLimit(["--no-warnings"]), undefined)
    assert.strictEqual(
      NodeArguments.heapLimit(["--max-old-space-size=64", "--max_old_space_size=32", "--no-warnings"]),
      "--max_old_space_size=32"
    )
  })
})
