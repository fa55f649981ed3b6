// The program of a bare pod: dials back by plain TCP, sends its name, and echoes. Measures the cost of a pod without effect-flame.
import { connect } from "node:net"

const [host, port] = process.env.PARENT.split(":")
const socket = connect({ host, port: Number(port), noDelay: true })
// Reads a key from a Secret, so that a bare pod waits for the same objects as a runner.
socket.write(`${process.env.NAME} ${process.env.KEY.length} ${process.version}\n`)
socket.on("data", (data) => socket.write(data))
socket.on("error", () => {})
socket.on("close", () => process.exit(0))
process.on("SIGTERM", () => process.exit(0))
