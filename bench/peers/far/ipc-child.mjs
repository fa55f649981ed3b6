import { functions } from "../../work/work.mjs"
process.on("message", ({ id, fn, arg }) => {
  const answer = (r) => process.send({ id, r })
  const r = functions[fn](arg)
  if (r instanceof Promise) void r.then(answer)
  else answer(r)
})
process.on("disconnect", () => process.exit(0))
process.send("ready")
