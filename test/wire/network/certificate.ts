/** Makes certificates with any content, without a tool, for servers that impersonate a parent. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto"

const der = (tag: number, ...parts: ReadonlyArray<Uint8Array>): Buffer => {
  const body = Buffer.concat(parts)
  const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 255]
  return Buffer.concat([Buffer.from([tag, ...length]), body])
}
const sequence = (...parts: ReadonlyArray<Uint8Array>) => der(0x30, ...parts)
const oid = (...bytes: ReadonlyArray<number>) => der(0x06, Buffer.from(bytes))

const ed25519 = sequence(oid(0x2b, 0x65, 0x70))
const nameOf = (name: string) => sequence(der(0x31, sequence(oid(0x55, 4, 3), der(0x0c, Buffer.from(name)))))
const time = (year: number) => der(0x18, Buffer.from(`${year}0101000000Z`))
const isAuthority = sequence(
  oid(0x55, 0x1d, 0x13),
  der(0x01, Buffer.from([255])),
  der(0x04, sequence(der(0x01, Buffer.from([255]))))
)
const alternatives = sequence(oid(0x55, 0x1d, 0x11), der(0x04, sequence(der(0x87, Buffer.from([127, 0, 0, 1])))))

/** A self-signed certificate for 127.0.0.1, and its key, both as PEM. */
export const selfSigned = (): { readonly cert: string; readonly key: string } => {
  const { privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject } = generateKeyPairSync("ed25519")
  const name = nameOf("127.0.0.1")
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ed25519,
    name,
    sequence(time(2020), time(2100)),
    name,
    publicKey.export({ format: "der", type: "spki" }),
    der(0xa3, sequence(isAuthority, alternatives))
  )
  const certificate = sequence(body, ed25519, der(0x03, Buffer.from([0]), sign(null, body, privateKey)))
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString("base64")}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ format: "pem", type: "pkcs8" }).toString()
  }
}
