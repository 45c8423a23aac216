/** What one datagram holds before encryption: a message or several, compressed, with a checksum. */
import { type Bytes, concatBytes, crc32, u16At, u32At, u32Bytes } from './bytes.ts'
import { compressLzw, decompressLzw, type LzwFailure } from './lzw.ts'
import { codes, decodeMessage, type Message, type MessageFailure } from './message.ts'
import { readFields, writeFields } from './msgpack.ts'

/** Most messages of one compound: its count is one byte. */
export const maxParts = 255

/** Bytes that a compound adds: to the whole, and to each part. */
export const compoundBytes = 2
export const partBytes = 2

/** Bytes of the checksum wrapper; senders do not count them in their budget. */
const checksumBytes = 5

/** What a datagram may unfold to in all its layers together, and how many layers and messages. */
const mostUnfoldedBytes = 256 * 1_024
const mostLayers = 4
const mostMessages = 2_048

/** One message stays itself; several become a compound. At least one, at most `maxParts`. */
export function joinParts(parts: readonly Bytes[]): Bytes {
  const [first] = parts
  if (first !== undefined && parts.length === 1) return first
  const head = new Uint8Array(2 + 2 * parts.length)
  head[0] = codes.compound
  head[1] = parts.length
  for (const [i, { length }] of parts.entries()) {
    head[2 + 2 * i] = length >>> 8
    head[3 + 2 * i] = length & 255
  }
  return concatBytes(head, ...parts)
}

/** The compressed form of a message or of a stream's whole content. */
export function compress(content: Bytes): Bytes {
  const body = writeFields([['Algo', 0], ['Buf', compressLzw(content)]])
  return concatBytes(Uint8Array.of(codes.compressed), body)
}

/** Compresses where that is shorter, then adds the checksum where the receiver knows it. */
export function wrapPacket(
  message: Bytes, options: { readonly isCompressed: boolean; readonly hasChecksum: boolean },
): Bytes {
  const compressed = options.isCompressed ? compress(message) : message
  const inner = compressed.length < message.length ? compressed : message
  if (!options.hasChecksum) return inner
  return concatBytes(Uint8Array.of(codes.checksum), u32Bytes(crc32(inner)), inner)
}

export type PacketFailure = MessageFailure | LzwFailure | 'badChecksum' | 'truncated' | 'tooDeep' | 'tooMany'

export interface Unwrapped {
  /** In the order of the packet. */
  readonly messages: readonly Message[]
  /** One for each part, or for the whole, that was dropped. */
  readonly failures: readonly PacketFailure[]
}

interface Unfolding {
  readonly messages: Message[]
  readonly failures: PacketFailure[]
  bytesLeft: number
}

/** The messages of a decrypted datagram. Never throws; memory is bounded whatever it says. */
export function unwrapPacket(packet: Bytes): Unwrapped {
  const unfolding: Unfolding = { messages: [], failures: [], bytesLeft: mostUnfoldedBytes }
  if (packet[0] !== codes.checksum || packet.length < checksumBytes) {
    unfold(unfolding, packet, 0)
  } else {
    const inner = packet.subarray(checksumBytes)
    if (crc32(inner) === u32At(packet, 1)) unfold(unfolding, inner, 0)
    else unfolding.failures.push('badChecksum')
  }
  return unfolding
}

function unfold(unfolding: Unfolding, bytes: Bytes, layer: number): void {
  const { messages, failures } = unfolding
  if (layer > mostLayers) failures.push('tooDeep')
  else if (bytes[0] === codes.compound) unfoldCompound(unfolding, bytes, layer)
  else if (bytes[0] === codes.compressed) {
    const inner = decompress(bytes, unfolding.bytesLeft)
    if (typeof inner === 'string') return void failures.push(inner)
    unfolding.bytesLeft -= inner.length
    unfold(unfolding, inner, layer + 1)
  } else if (messages.length >= mostMessages) failures.push('tooMany')
  else {
    const message = decodeMessage(bytes)
    if (typeof message === 'string') failures.push(message)
    else messages.push(message)
  }
}

function unfoldCompound(unfolding: Unfolding, bytes: Bytes, layer: number): void {
  const { failures } = unfolding
  const count = bytes[1]
  if (count === undefined || bytes.length < 2 + 2 * count) return void failures.push('truncated')
  let at = 2 + 2 * count
  for (let i = 0; i < count; i++) {
    const end = at + u16At(bytes, 2 + 2 * i)
    if (end > bytes.length) {
      for (let rest = i; rest < count; rest++) failures.push('truncated')
      return
    }
    if (failures.length > mostMessages) return
    unfold(unfolding, bytes.subarray(at, end), layer + 1)
    at = end
  }
}

/** What the compressed form at the start of `bytes` holds, at most `mostBytes`. */
export function decompress(bytes: Bytes, mostBytes: number): Bytes | LzwFailure | 'malformed' {
  const read = readFields(bytes, 1)
  if (typeof read === 'string') return 'malformed'
  const algorithm = read.fields.number('Algo', 255)
  const packed = read.fields.bytes('Buf')
  if (!read.fields.isValid()) return 'malformed'
  if (algorithm !== 0 || packed === undefined) return 'badCompression'
  return decompressLzw(packed, mostBytes)
}
