/** Reads what tcpdump wrote: ARP frames as values, in the order of the wire. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

export interface ArpFrame {
  /** Wall time at which the kernel took it in, in ms since 1970, with fractions. */
  readonly atMs: number
  readonly source: string
  readonly isReply: boolean
  /** Whose address the sender says it is. */
  readonly senderMac: string
  readonly sender: string
  readonly target: string
}

const fileHeaderBytes = 24
const recordHeaderBytes = 16
const etherArp = 0x0806
const arpBytes = 42

/** Follows a capture file that is still being written (classic pcap, nanoseconds, Ethernet). */
export function openReader(path: string): { readonly read: () => readonly ArpFrame[] } {
  let offset = fileHeaderBytes
  return {
    /** Frames since the last call. */
    read: () => {
      const bytes = readFrom(path, offset)
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      const frames: ArpFrame[] = []
      let at = 0
      while (at + recordHeaderBytes <= bytes.length) {
        const length = view.getUint32(at + 8, true)
        const next = at + recordHeaderBytes + length
        if (next > bytes.length) break // still being written
        const atMs = view.getUint32(at, true) * 1_000 + view.getUint32(at + 4, true) / 1e6
        const frame = decodeArp(bytes.subarray(at + recordHeaderBytes, next), atMs)
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

/** RFC 826, for Ethernet and IPv4. */
function decodeArp(frame: Uint8Array, atMs: number): ArpFrame | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  if (frame.length < arpBytes || view.getUint16(12) !== etherArp) return undefined
  const mac = (at: number): string =>
    [...frame.subarray(at, at + 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
  const address = (at: number): string => frame.subarray(at, at + 4).join('.')
  return {
    atMs, source: mac(6), isReply: view.getUint16(20) === 2,
    senderMac: mac(22), sender: address(28), target: address(38),
  }
}
