/** Reads what tcpdump wrote: ARP and neighbour discovery as values of one kind, in the order of the wire. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** A question or an answer of ARP (RFC 826), or a solicitation or an advertisement (RFC 4861). */
export interface Frame {
  /** Wall time at which the kernel took it in, in ms since 1970, with fractions. */
  readonly atMs: number
  readonly source: string
  readonly isReply: boolean
  /** Whose address the sender says it is. */
  readonly senderMac: string
  /** Of an advertisement: the address it is about. */
  readonly sender: string
  /** Whom it asks for, or answers. */
  readonly target: string
}

const fileHeaderBytes = 24
const recordHeaderBytes = 16
const ethernetBytes = 14
const etherArp = 0x0806
const etherIpv6 = 0x86dd
const arpBytes = 42
/** A frame whole, for both families: with one option of a solicitation or an advertisement. */
export const frameBytes = 86
/** What to capture, in pcap-filter syntax. */
export const neighbourFrames = 'arp or (icmp6 and (ip6[40] == 135 or ip6[40] == 136))'

/** Follows a capture file that is still being written (classic pcap, nanoseconds, Ethernet). */
export function openReader(path: string): { readonly read: () => readonly Frame[] } {
  let offset = fileHeaderBytes
  return {
    /** Frames since the last call. */
    read: () => {
      const bytes = readFrom(path, offset)
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      const frames: Frame[] = []
      let at = 0
      while (at + recordHeaderBytes <= bytes.length) {
        const length = view.getUint32(at + 8, true)
        const next = at + recordHeaderBytes + length
        if (next > bytes.length) break // still being written
        const atMs = view.getUint32(at, true) * 1_000 + view.getUint32(at + 4, true) / 1e6
        const frame = decodeFrame(bytes.subarray(at + recordHeaderBytes, next), atMs)
        if (frame !== undefined) frames.push(frame)
        at = next
      }
      offset += at
      return frames
    },
  }
}

function readFrom(path: string, offset: number): Uint8Array {
  const file = openSync(path, 'r')
  try {
    const bytes = new Uint8Array(Math.max(0, fstatSync(file).size - offset))
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, offset))
  } finally {
    closeSync(file)
  }
}

/** undefined = neither ARP nor neighbour discovery, or cut. */
export function decodeFrame(frame: Uint8Array, atMs: number): Frame | undefined {
  if (frame.length < ethernetBytes) return undefined
  const etherType = new DataView(frame.buffer, frame.byteOffset).getUint16(12)
  if (etherType === etherArp) return decodeArp(frame, atMs)
  return etherType === etherIpv6 ? decodeNeighbour(frame, atMs) : undefined
}

/** RFC 826, for Ethernet and IPv4. */
function decodeArp(frame: Uint8Array, atMs: number): Frame | undefined {
  if (frame.length < arpBytes) return undefined
  const address = (at: number): string => frame.subarray(at, at + 4).join('.')
  return {
    atMs, source: macAt(frame, 6), isReply: frame[21] === 2,
    senderMac: macAt(frame, 22), sender: address(28), target: address(38),
  }
}

const solicitation = 135
const advertisement = 136
const targetAt = 62
const optionAt = 78
const linkLayerTarget = 2

/** RFC 4861 §4.3 and §4.4, without extension headers, as hosts send them. */
function decodeNeighbour(frame: Uint8Array, atMs: number): Frame | undefined {
  const kind = frame[54]
  const isReply = kind === advertisement
  if (frame.length < optionAt || frame[20] !== 58 || !(isReply || kind === solicitation)) return undefined
  const source = macAt(frame, 6)
  const hasOption = isReply && frame[optionAt] === linkLayerTarget && frame.length >= frameBytes
  const [from, to, target] = [22, 38, targetAt].map((at) => formatIPv6(frame.subarray(at, at + 16)))
  return {
    atMs, source, isReply, senderMac: hasOption ? macAt(frame, optionAt + 2) : source,
    sender: (isReply ? target : from) ?? '', target: (isReply ? to : target) ?? '',
  }
}

function macAt(frame: Uint8Array, at: number): string {
  return [...frame.subarray(at, at + 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/** Texts of RFC 5952 by groups: there are few addresses and many frames. */
const written = new Map<string, string>()

function formatIPv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((bytes[2 * i] ?? 0) << 8 | (bytes[2 * i + 1] ?? 0)).toString(16)).join(':')
  const text = written.get(groups) ?? new URL(`http://[${groups}]`).hostname.slice(1, -1)
  written.set(groups, text)
  return text
}
