/** Ethernet II header and hardware addresses: bytes to values and back (IEEE 802.3 clause 3). */
import type { Mac } from './model.ts'

/** Destination, source, ethertype. */
export const etherHeaderBytes = 14

/** Shortest Ethernet frame without its checksum; shorter ones are padded with zeros. */
export const minFrameBytes = 60

export const etherTypeArp = 0x0806
export const etherTypeIPv6 = 0x86dd

export const broadcastMac: Mac = 'ff:ff:ff:ff:ff:ff'

const macPattern = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/

/** The MAC written as hex pairs with colons or dashes, in any case; undefined if it is none. */
export function parseMac(text: string): Mac | undefined {
  const lower = text.toLowerCase().replaceAll('-', ':')
  return macPattern.test(lower) ? lower : undefined
}

/** Each byte in hex: every frame that is received has four MACs to write. */
const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** The six bytes at `offset` as a MAC. The caller has checked that they are there. */
export function decodeMac(bytes: Uint8Array, offset: number): Mac {
  const hex = (i: number): string => hexOfByte[bytes[offset + i] ?? 0] ?? ''
  return `${hex(0)}:${hex(1)}:${hex(2)}:${hex(3)}:${hex(4)}:${hex(5)}`
}

/** Writes the six bytes of `mac` at `offset`. */
export function encodeMac(mac: Mac, into: Uint8Array, offset: number): void {
  for (let i = 0; i < 6; i++) into[offset + i] = Number.parseInt(mac.slice(i * 3, i * 3 + 2), 16)
}

/** An unsigned 16-bit value in network order; bytes past the end read as zero. */
export function readUint16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0)
}

export function writeUint16(into: Uint8Array, offset: number, value: number): void {
  into[offset] = (value >>> 8) & 0xff
  into[offset + 1] = value & 0xff
}

/** The `length` bytes at `offset` as one unsigned value in network order. */
export function readBits(bytes: Uint8Array, offset: number, length: number): bigint {
  const word = (at: number): number =>
    readUint16(bytes, offset + at) * 0x1_0000 + readUint16(bytes, offset + at + 2)
  if (length === 4) return BigInt(word(0))
  let bits = 0n
  for (let i = 0; i < length; i++) bits = (bits << 8n) | BigInt(bytes[offset + i] ?? 0)
  return bits
}

/** Writes `bits` as `length` bytes in network order. */
export function writeBits(into: Uint8Array, offset: number, length: number, bits: bigint): void {
  let rest = bits
  for (let i = length - 1; i >= 0; i--) {
    into[offset + i] = Number(rest & 0xffn)
    rest >>= 8n
  }
}

/** A zeroed frame of at least the Ethernet minimum, with its header written. */
export function startFrame(to: Mac, from: Mac, etherType: number, payloadBytes: number): Uint8Array {
  const frame = new Uint8Array(Math.max(minFrameBytes, etherHeaderBytes + payloadBytes))
  encodeMac(to, frame, 0)
  encodeMac(from, frame, 6)
  writeUint16(frame, 12, etherType)
  return frame
}
