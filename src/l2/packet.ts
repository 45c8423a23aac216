/** One received frame as a value, decoded once for all who look at it. */
import { type ArpPacket, decodeArp } from './arp.ts'
import { etherTypeArp, readUint16 } from './frame.ts'
import type { Drop } from './model.ts'
import { decodeNeighbour, type Neighbour } from './ndp.ts'

/** What an ARP frame or a neighbour message says; `isArp` tells them apart. */
export type Packet = ArpPacket | Neighbour

/** The packet in an untagged frame, or why it is none: see `decodeArp` and `decodeNeighbour`. */
export function decodePacket(frame: Uint8Array): Packet | Drop {
  return readUint16(frame, 12) === etherTypeArp ? decodeArp(frame) : decodeNeighbour(frame)
}

export function isArp(packet: Packet): packet is ArpPacket {
  return 'operation' in packet
}
