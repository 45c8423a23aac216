/** What goes around ownership's messages in membership's: a mark, and who says it. */
import type { ReceivedMessage } from './model.ts'

/** `arp`, and a version; other programs' user messages have other bytes. */
const magic = [0x61, 0x72, 0x70, 0x01] as const
const isGossipFlag = 1

type Content = Omit<ReceivedMessage, 'receivedAtMs'>

/** Magic, flags, the length of the name, the name in UTF-8, the message. */
export function encodeEnvelope({ from, isGossip, bytes }: Content): Uint8Array {
  const name = new TextEncoder().encode(from)
  const out = new Uint8Array(magic.length + 2 + name.length + bytes.length)
  out.set([...magic, isGossip ? isGossipFlag : 0, name.length])
  out.set(name, magic.length + 2)
  out.set(bytes, magic.length + 2 + name.length)
  return out
}

/** undefined = none of ours. */
export function decodeEnvelope(payload: Uint8Array): Content | undefined {
  if (!magic.every((byte, i) => payload[i] === byte)) return undefined
  const flags = payload[magic.length] ?? 0
  const nameBytes = payload[magic.length + 1] ?? 0
  const start = magic.length + 2
  if (nameBytes === 0 || payload.length < start + nameBytes) return undefined
  return {
    from: new TextDecoder().decode(payload.subarray(start, start + nameBytes)),
    isGossip: (flags & isGossipFlag) !== 0,
    bytes: payload.slice(start + nameBytes),
  }
}
