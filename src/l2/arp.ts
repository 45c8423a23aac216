/** ARP for IPv4 over Ethernet: bytes to values and back (RFC 826). */
import type { Address } from '../net/model.ts'
import {
  broadcastMac, decodeMac, encodeMac, etherHeaderBytes, etherTypeArp, readBits, readUint16,
  startFrame, writeBits, writeUint16,
} from './frame.ts'
import type { Drop, Mac } from './model.ts'

/** Fixed part plus two pairs of Ethernet and IPv4 addresses (RFC 826 "Packet format"). */
const arpBytes = 28
const hardwareEthernet = 1
const protocolIPv4 = 0x0800

/** ares_op$request and ares_op$reply (RFC 826). */
export const arpRequest = 1
export const arpReply = 2

export interface ArpPacket {
  readonly etherTo: Mac
  readonly etherFrom: Mac
  readonly operation: number
  readonly senderMac: Mac
  readonly sender: Address
  readonly targetMac: Mac
  readonly target: Address
}

/**
 * The ARP packet in an untagged Ethernet frame, padding ignored.
 * Drops: `truncated`, `notForProtocol` (ethertype), `malformed` (not IPv4 over Ethernet, or an
 * operation other than request and reply).
 */
export function decodeArp(frame: Uint8Array): ArpPacket | Drop {
  if (frame.length < etherHeaderBytes) return 'truncated'
  if (readUint16(frame, 12) !== etherTypeArp) return 'notForProtocol'
  if (frame.length < etherHeaderBytes + arpBytes) return 'truncated'
  const at = etherHeaderBytes
  const isEthernetIPv4 = readUint16(frame, at) === hardwareEthernet &&
    readUint16(frame, at + 2) === protocolIPv4 && frame[at + 4] === 6 && frame[at + 5] === 4
  const operation = readUint16(frame, at + 6)
  if (!isEthernetIPv4 || (operation !== arpRequest && operation !== arpReply)) return 'malformed'
  return {
    etherTo: decodeMac(frame, 0),
    etherFrom: decodeMac(frame, 6),
    operation,
    senderMac: decodeMac(frame, at + 8),
    sender: { family: 'ipv4', bits: readBits(frame, at + 14, 4) },
    targetMac: decodeMac(frame, at + 18),
    target: { family: 'ipv4', bits: readBits(frame, at + 24, 4) },
  }
}

/** The frame of an ARP packet, padded with zeros to the Ethernet minimum. */
export function encodeArp(packet: ArpPacket): Uint8Array {
  const frame = startFrame(packet.etherTo, packet.etherFrom, etherTypeArp, arpBytes)
  const at = etherHeaderBytes
  writeUint16(frame, at, hardwareEthernet)
  writeUint16(frame, at + 2, protocolIPv4)
  frame[at + 4] = 6
  frame[at + 5] = 4
  writeUint16(frame, at + 6, packet.operation)
  encodeMac(packet.senderMac, frame, at + 8)
  writeBits(frame, at + 14, 4, packet.sender.bits)
  encodeMac(packet.targetMac, frame, at + 18)
  writeBits(frame, at + 24, 4, packet.target.bits)
  return frame
}

/**
 * The answer to `request`: unicast to its ARP sender, our `mac` as the holder of its target.
 * @see MetalLB 0.16 behaviour: replies go to the ARP sender, not to the frame's source
 */
export function answerArp(request: ArpPacket, mac: Mac): Uint8Array {
  return encodeArp({
    etherTo: request.senderMac,
    etherFrom: mac,
    operation: arpReply,
    senderMac: mac,
    sender: request.target,
    targetMac: request.senderMac,
    target: request.sender,
  })
}

/**
 * The two gratuitous frames of one round, request form first: some devices update on one form
 * only. Target hardware address is all ones in both (MetalLB 0.16 sends these bytes).
 */
export function announceArp(address: Address, mac: Mac): readonly [Uint8Array, Uint8Array] {
  const both = {
    etherTo: broadcastMac,
    etherFrom: mac,
    senderMac: mac,
    sender: address,
    targetMac: broadcastMac,
    target: address,
  }
  return [
    encodeArp({ ...both, operation: arpRequest }),
    encodeArp({ ...both, operation: arpReply }),
  ]
}
