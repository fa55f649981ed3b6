// Echoes bytes without frames and ids: writes what it reads.
import net from "node:net"
const pair = new net.Socket({ fd: 3, readable: true, writable: true })
pair.on("data", (bytes) => pair.write(bytes))
pair.on("end", () => process.exit(0))
pair.on("error", () => process.exit(0))
