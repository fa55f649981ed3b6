// The far side of gRPC: a server with the functions of work.mjs.
import grpc from "@grpc/grpc-js"
import loader from "@grpc/proto-loader"
import { blob, item, timedSpin } from "../../work/work.mjs"

const proto = new URL("../shared/peers.proto", import.meta.url).pathname
const { peers } = grpc.loadPackageDefinition(loader.loadSync(proto, { longs: Number }))
const items = (call) => {
  const n = call.request.size
  let i = 0
  const pump = () => {
    while (i < n && !call.cancelled) if (!call.write(item(i++))) return call.once("drain", pump)
    call.end()
  }
  pump()
}
const server = new grpc.Server({ "grpc.max_send_message_length": -1, "grpc.max_receive_message_length": -1 })
server.addService(peers.Work.service, {
  echo: ({ request: { id, text } }, answer) => answer(null, { id, text }),
  blob: ({ request }, answer) => answer(null, { data: blob(request.size) }),
  spin: ({ request }, answer) => answer(null, timedSpin(request.iters)),
  hang: () => {},
  items
})
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error
  process.send({ port })
})
process.on("disconnect", () => process.exit(0))
