// The far side of the boot floor: answers one IPC message.
process.on("message", (m) => process.send(m))
