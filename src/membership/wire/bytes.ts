/** Byte strings: names in this protocol are opaque bytes, kept one character a byte. */

export type Bytes = Uint8Array

const chunkBytes = 4_096

/** One character (0..255) a byte: nothing is lost on the way back, unlike with UTF-8. */
export function toByteString(bytes: Bytes): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    text += String.fromCharCode(...bytes.subarray(at, at + chunkBytes))
  }
  return text
}

/** The bytes of a byte string; characters above 255 lose their upper bits. */
export function fromByteString(text: string): Bytes {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

/** A copy that does not keep the buffer of `bytes` alive, also where that is a pooled Buffer. */
export function copyBytes(bytes: Bytes): Bytes {
  return new Uint8Array(bytes)
}

export function concatBytes(...parts: readonly Bytes[]): Bytes {
  let length = 0
  for (const part of parts) length += part.length
  const all = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

export function isSameBytes(a: Bytes, b: Bytes): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** The big-endian 16-bit number at `at`; 0 beyond the end. */
export function u16At(bytes: Bytes, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

/** The big-endian unsigned 32-bit number at `at`; 0 beyond the end. */
export function u32At(bytes: Bytes, at: number): number {
  return ((u16At(bytes, at) << 16) | u16At(bytes, at + 2)) >>> 0
}

/** Four bytes, big-endian. */
export function u32Bytes(value: number): Bytes {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

/** CRC-32 as of IEEE 802.3 (reflected, initial and final exclusive-or with all ones), unsigned. */
export function crc32(bytes: Bytes): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ (crcTable[(crc ^ byte) & 0xff] ?? 0)
  return (crc ^ 0xffffffff) >>> 0
}
