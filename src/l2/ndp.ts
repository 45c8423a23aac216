/** Neighbour solicitations and advertisements in Ethernet frames (RFC 4861, RFC 8200). */
import type { Address } from '../net/model.ts'
import {
  decodeMac, encodeMac, etherHeaderBytes, etherTypeIPv6, readBits, readUint16, startFrame,
  writeBits, writeUint16,
} from './frame.ts'
import type { Drop, Mac } from './model.ts'

const ipv6HeaderBytes = 40
const nextHeaderIcmp6 = 58
/** RFC 4861 §7.1.1: anything that crossed a router is not a neighbour's. */
const requiredHopLimit = 255
/** Type, code, checksum, flags or reserved, target (RFC 4861 §4.3, §4.4). */
const neighbourBytes = 24
export const typeSolicitation = 135
export const typeAdvertisement = 136
const optionSourceMac = 1
const optionTargetMac = 2

const flagSolicited = 0x40
const flagOverride = 0x20

/** ff02::1 */
export const allNodes: Address = { family: 'ipv6', bits: (0xff02n << 112n) | 1n }
/** `::`, the source of a duplicate address detection probe (RFC 4862 §5.4.2). */
export const unspecified: Address = { family: 'ipv6', bits: 0n }

export interface Neighbour {
  readonly etherTo: Mac
  readonly etherFrom: Mac
  readonly source: Address
  readonly destination: Address
  readonly type: typeof typeSolicitation | typeof typeAdvertisement
  readonly target: Address
  readonly isSolicited: boolean
  readonly isOverride: boolean
  /** Source option of a solicitation, target option of an advertisement. */
  readonly mac: Mac | undefined
}

/** ff02::1:ff00:0 */
const solicitedPrefix = (0xff02n << 112n) | (0x1ffn << 24n)

/** ff02::1:ffXX:XXXX of a unicast address (RFC 4291 §2.7.1). */
export function solicitedNodeGroup(address: Address): Address {
  return { family: 'ipv6', bits: solicitedPrefix | (address.bits & 0xffffffn) }
}

/** 33:33 and the last 32 bits of an IPv6 group (RFC 2464 §7). */
export function groupMac(group: Address): Mac {
  const bytes = new Uint8Array([0x33, 0x33, 0, 0, 0, 0])
  writeBits(bytes, 2, 4, group.bits & 0xffffffffn)
  return decodeMac(bytes, 0)
}

/** ff00::/8 */
export function isMulticast(address: Address): boolean {
  return address.family === 'ipv6' && address.bits >> 120n === 0xffn
}

/**
 * The neighbour message in an untagged frame, validated as RFC 4861 §7.1.1 and §7.1.2 demand.
 * Drops: `truncated`, `notForProtocol`, `hopLimit`, `malformed`.
 */
export function decodeNeighbour(frame: Uint8Array): Neighbour | Drop {
  if (frame.length < etherHeaderBytes) return 'truncated'
  if (readUint16(frame, 12) !== etherTypeIPv6) return 'notForProtocol'
  if (frame.length < etherHeaderBytes + ipv6HeaderBytes) return 'truncated'
  const ip = etherHeaderBytes
  if ((frame[ip] ?? 0) >> 4 !== 6) return 'malformed'
  if (frame[ip + 6] !== nextHeaderIcmp6) return 'notForProtocol'
  const payloadBytes = readUint16(frame, ip + 4)
  const icmp = ip + ipv6HeaderBytes
  if (frame.length < icmp + payloadBytes) return 'truncated'
  const type = frame[icmp]
  if (type !== typeSolicitation && type !== typeAdvertisement) return 'notForProtocol'
  if (payloadBytes < neighbourBytes) return 'truncated'
  if (frame[ip + 7] !== requiredHopLimit) return 'hopLimit'
  const sum = payloadBytes + nextHeaderIcmp6 + sumWords(frame, ip + 8, icmp + payloadBytes)
  if (frame[icmp + 1] !== 0 || foldSum(sum) !== 0) return 'malformed'
  const message = frame.subarray(icmp, icmp + payloadBytes)
  const source: Address = { family: 'ipv6', bits: readBits(frame, ip + 8, 16) }
  const destination: Address = { family: 'ipv6', bits: readBits(frame, ip + 24, 16) }
  return decodeMessage({ frame, source, destination, message, type })
}

interface Envelope {
  readonly frame: Uint8Array
  readonly source: Address
  readonly destination: Address
  readonly message: Uint8Array
  readonly type: typeof typeSolicitation | typeof typeAdvertisement
}

function decodeMessage(envelope: Envelope): Neighbour | Drop {
  const { frame, source, destination, message, type } = envelope
  const target: Address = { family: 'ipv6', bits: readBits(message, 8, 16) }
  if (isMulticast(target)) return 'malformed'
  const wanted = type === typeSolicitation ? optionSourceMac : optionTargetMac
  const mac = readMacOption(message, wanted)
  if (mac === 'malformed') return 'malformed'
  const flags = message[4] ?? 0
  const isSolicited = type === typeAdvertisement && (flags & flagSolicited) !== 0
  if (type === typeSolicitation && source.bits === 0n) {
    // RFC 4861 §7.1.1: a probe goes to a solicited-node group and names no source MAC.
    const toGroup = destination.bits >> 24n === solicitedNodeGroup(target).bits >> 24n
    if (!toGroup || mac !== undefined) return 'malformed'
  }
  if (isSolicited && isMulticast(destination)) return 'malformed'
  return {
    etherTo: decodeMac(frame, 0),
    etherFrom: decodeMac(frame, 6),
    source,
    destination,
    type,
    target,
    isSolicited,
    isOverride: type === typeAdvertisement && (flags & flagOverride) !== 0,
    mac,
  }
}

/** Walks the options (RFC 4861 §4.6); a zero length or an overrun makes the message malformed. */
function readMacOption(message: Uint8Array, wanted: number): Mac | undefined | 'malformed' {
  let found: Mac | undefined
  let at = neighbourBytes
  while (at < message.length) {
    const optionBytes = (message[at + 1] ?? 0) * 8
    if (optionBytes === 0 || at + optionBytes > message.length) return 'malformed'
    if (message[at] === wanted && found === undefined) found = decodeMac(message, at + 2)
    at += optionBytes
  }
  return found
}

/** The ICMPv6 part of a neighbour message, checksum included. */
export function encodeMessage(packet: Neighbour): Uint8Array {
  const optionType = packet.type === typeSolicitation ? optionSourceMac : optionTargetMac
  const message = new Uint8Array(neighbourBytes + (packet.mac === undefined ? 0 : 8))
  message[0] = packet.type
  message[4] = (packet.isSolicited ? flagSolicited : 0) | (packet.isOverride ? flagOverride : 0)
  writeBits(message, 8, 16, packet.target.bits)
  if (packet.mac !== undefined) {
    message[neighbourBytes] = optionType
    message[neighbourBytes + 1] = 1
    encodeMac(packet.mac, message, neighbourBytes + 2)
  }
  writeUint16(message, 2, checksum(packet.source, packet.destination, message))
  return message
}

/** The whole frame of a neighbour message: hop limit 255, no extension headers. */
export function encodeNeighbour(packet: Neighbour): Uint8Array {
  const message = encodeMessage(packet)
  const frame = startFrame(
    packet.etherTo, packet.etherFrom, etherTypeIPv6, ipv6HeaderBytes + message.length,
  )
  const ip = etherHeaderBytes
  frame[ip] = 0x60
  writeUint16(frame, ip + 4, message.length)
  frame[ip + 6] = nextHeaderIcmp6
  frame[ip + 7] = requiredHopLimit
  writeBits(frame, ip + 8, 16, packet.source.bits)
  writeBits(frame, ip + 24, 16, packet.destination.bits)
  frame.set(message, ip + ipv6HeaderBytes)
  return frame
}

/**
 * The answer to a solicitation (RFC 4861 §7.2.4): solicited and without override to the asker;
 * to all nodes, unsolicited and with override, when it asked from `::`, so that the prober of a
 * duplicate learns of us (RFC 4862 §5.4.3). Its source is the target, as where Linux owns the
 * address: ndisc6 1.0.5 ignores answers from link-local addresses, which MetalLB sends.
 */
export function answerSolicitation(ask: Neighbour, mac: Mac): Uint8Array {
  const isProbe = ask.source.bits === 0n
  return encodeNeighbour({
    etherTo: isProbe ? groupMac(allNodes) : ask.mac ?? ask.etherFrom,
    etherFrom: mac,
    source: ask.target,
    destination: isProbe ? allNodes : ask.source,
    type: typeAdvertisement,
    target: ask.target,
    isSolicited: !isProbe,
    isOverride: isProbe,
    mac,
  })
}

/** The unsolicited advertisement of one round: to all nodes, with override (RFC 4861 §7.2.6). */
export function unsolicited(address: Address, mac: Mac): Neighbour {
  return {
    etherTo: groupMac(allNodes),
    etherFrom: mac,
    source: address,
    destination: allNodes,
    type: typeAdvertisement,
    target: address,
    isSolicited: false,
    isOverride: true,
    mac,
  }
}

/** Internet checksum over the pseudo-header and the message (RFC 8200 §8.1, RFC 1071). */
function checksum(source: Address, destination: Address, message: Uint8Array): number {
  const addresses = new Uint8Array(32)
  writeBits(addresses, 0, 16, source.bits)
  writeBits(addresses, 16, 16, destination.bits)
  return foldSum(message.length + nextHeaderIcmp6 + sumWords(addresses, 0, addresses.length) +
    sumWords(message, 0, message.length))
}

/** Sum of the 16-bit words in network order; an odd last byte is followed by zero. */
function sumWords(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0
  for (let i = from; i + 1 < to; i += 2) sum += readUint16(bytes, i)
  return ((to - from) & 1) === 0 ? sum : sum + ((bytes[to - 1] ?? 0) << 8)
}

function foldSum(words: number): number {
  let sum = words
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
