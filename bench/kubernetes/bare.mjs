// What a pod costs without us: dials back by plain TCP, says who it is, and gives back what it is sent.
import { connect } from "node:net"

const [host, port] = process.env.PARENT.split(":")
const socket = connect({ host, port: Number(port), noDelay: true })
// the key from the Secret, so that it has the same to wait for as a runner
socket.write(`${process.env.NAME} ${process.env.KEY.length} ${process.version}\n`)
socket.on("data", (data) => socket.write(data))
socket.on("error", () => {})
socket.on("close", () => process.exit(0))
process.on("SIGTERM", () => process.exit(0))
