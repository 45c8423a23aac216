/** Ethernet II header and hardware addresses: bytes to values and back (IEEE 802.3 clause 3). */
import type { Mac } from './model.ts'

/** Destination, source, ethertype. */
export const etherHeaderBytes = 14

/** Shortest Ethernet frame without its checksum; shorter ones are padded with zeros. */
export const minFrameBytes = 60

export const etherTypeArp = 0x0806
export const etherTypeIPv6 = 0x86dd

export const broadcastMac: Mac = 'ff:ff:ff:ff:ff:ff'
/** Not known, or not asked for. */
export const noMac: Mac = '00:00:00:00:00:00'

const macPattern = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/

/** The MAC written as hex pairs with colons or dashes, in any case; undefined if it is none. */
export function parseMac(text: string): Mac | undefined {
  const lower = text.toLowerCase().replaceAll('-', ':')
  return macPattern.test(lower) ? lower : undefined
}

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/**
 * Texts of MACs, by a hash of their bytes: every frame has up to four, of few hosts, and a new text for
 * each was most of the garbage in a burst. A slot has the last one that fell into it.
 */
const textSlots = 256
const textHighs = new Float64Array(textSlots).fill(-1)
const textLows = new Float64Array(textSlots)
const texts: Mac[] = Array.from({ length: textSlots }, () => '')

/** The six bytes at `offset` as a MAC. The caller has checked that they are there. */
export function decodeMac(bytes: Uint8Array, offset: number): Mac {
  const high = readUint16(bytes, offset)
  const low = readUint32(bytes, offset + 2)
  const slot = (low ^ (low >>> 8) ^ high) & (textSlots - 1)
  if (textHighs[slot] === high && textLows[slot] === low) return texts[slot] ?? ''
  const pairs = Array.from(bytes.subarray(offset, offset + 6), (byte) => hexOfByte[byte])
  const text = pairs.join(':')
  textHighs[slot] = high
  textLows[slot] = low
  texts[slot] = text
  return text
}

/** Value of a hex digit by its code: of both cases. */
const digitOfCode = new Uint8Array(128)
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16)
  digitOfCode[digit.charCodeAt(0)] = value
  digitOfCode[digit.toUpperCase().charCodeAt(0)] = value
}

/** Writes the six bytes of `mac` at `offset`. */
export function encodeMac(mac: Mac, into: Uint8Array, offset: number): void {
  for (let i = 0; i < 6; i++) {
    const high = digitOfCode[mac.charCodeAt(i * 3)] ?? 0
    into[offset + i] = (high << 4) | (digitOfCode[mac.charCodeAt(i * 3 + 1)] ?? 0)
  }
}

/** An unsigned 16-bit value in network order; bytes past the end read as zero. */
export function readUint16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0)
}

export function writeUint16(into: Uint8Array, offset: number, value: number): void {
  into[offset] = (value >>> 8) & 0xff
  into[offset + 1] = value & 0xff
}

/** An unsigned 32-bit value in network order; bytes past the end read as zero. */
export function readUint32(bytes: Uint8Array, offset: number): number {
  return readUint16(bytes, offset) * 0x1_0000 + readUint16(bytes, offset + 2)
}

/** The `length` bytes at `offset` as one unsigned value in network order. */
export function readBits(bytes: Uint8Array, offset: number, length: number): bigint {
  if (length === 4) return BigInt(readUint32(bytes, offset))
  const head = length & 3
  let bits = 0n
  for (let i = 0; i < head; i++) bits = (bits << 8n) | BigInt(bytes[offset + i] ?? 0)
  for (let i = head; i < length; i += 4) bits = (bits << 32n) | BigInt(readUint32(bytes, offset + i))
  return bits
}

/** Writes `bits` as `length` bytes in network order. */
export function writeBits(into: Uint8Array, offset: number, length: number, bits: bigint): void {
  let rest = bits
  let at = offset + length
  // In words of 32 bits, since big numbers are slow.
  for (; at - offset >= 4; at -= 4) {
    const word = Number(BigInt.asUintN(32, rest))
    writeUint16(into, at - 4, word >>> 16)
    writeUint16(into, at - 2, word)
    if (at - offset > 4) rest >>= 32n
  }
  for (; at > offset; at--) {
    into[at - 1] = Number(rest & 0xffn)
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
