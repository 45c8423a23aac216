/** Frames of ownership: what a received one asserts and asks, and the probes and controls sent. */
import { answerArp, type ArpPacket, arpReply, arpRequest, encodeArp } from '../l2/arp.ts'
import { broadcastMac, noMac } from '../l2/frame.ts'
import type { Drop, Mac } from '../l2/model.ts'
import {
  answerSolicitation, encodeNeighbour, groupMac, type Neighbour, solicitedNodeGroup,
  typeSolicitation, unspecified,
} from '../l2/ndp.ts'
import { decodePacket, isArp, type Packet } from '../l2/packet.ts'
import type { Address, Millis } from '../net/model.ts'
import { stallMs } from './limits.ts'
import type { Leg, ReadFrame, ReceivedFrame } from './model.ts'

/** What one frame says. */
export interface Sighting {
  /** Who sent it, by Ethernet. */
  readonly from: Mac
  readonly to: Mac
  /** Voice: `address` is at `mac`. */
  readonly asserts: { readonly address: Address; readonly mac: Mac } | undefined
  readonly asks: Address | undefined
  /** It asks without asserting anything, to have it itself: RFC 5227 §2.1.1, RFC 4862 §5.4.2. */
  readonly isProbe: boolean
  /** It answers somebody. */
  readonly isAnswer: boolean
}

const noAddress: Address = { family: 'ipv4', bits: 0n }

/** Decodes each frame once, for all who look at it. */
export function readBatch(frames: readonly ReceivedFrame[]): readonly ReadFrame[] {
  return frames.map(({ ifindex, frame, receivedAtMs }) => ({
    ifindex, frame, receivedAtMs, packet: decodePacket(frame),
  }))
}

/** What the frame says; undefined where it is neither ARP nor a neighbour message. */
export function readFrame(frame: Uint8Array): Sighting | undefined {
  return readPacket(decodePacket(frame))
}

/** The same of a frame that has been decoded. */
export function readPacket(packet: Packet | Drop): Sighting | undefined {
  if (typeof packet === 'string') return undefined
  return isArp(packet) ? readArp(packet) : readNeighbour(packet)
}

function readArp(packet: ArpPacket): Sighting {
  const { sender, senderMac, target, operation } = packet
  const isRequest = operation === arpRequest
  const isGratuitous = sender.bits === target.bits
  return {
    from: packet.etherFrom,
    to: packet.etherTo,
    asserts: sender.bits === 0n ? undefined : { address: sender, mac: senderMac },
    asks: isRequest && !isGratuitous ? target : undefined,
    // A member's with its own MAC as the target's: it has the address already (`patrolFrame`).
    isProbe: isRequest && sender.bits === 0n && packet.targetMac !== senderMac,
    isAnswer: operation === arpReply && !isGratuitous,
  }
}

function readNeighbour(packet: Neighbour): Sighting {
  const { etherFrom: from, etherTo: to, source, target, mac } = packet
  if (packet.type === typeSolicitation) {
    const isProbe = source.bits === 0n
    const asserts = isProbe || mac === undefined ? undefined : { address: source, mac }
    return { from, to, asserts, asks: target, isProbe, isAnswer: false }
  }
  return {
    from, to, asserts: { address: target, mac: mac ?? from }, asks: undefined, isProbe: false,
    isAnswer: packet.isSolicited,
  }
}

/**
 * Whether a frame may be answered at `now`: after a stall, asks that have waited for more than 40 ms
 * are dropped (the asker asks again; its next hop may have moved), probes never are.
 */
export function isAnswerable({ packet, receivedAtMs }: ReadFrame, now: Millis): boolean {
  return now - receivedAtMs <= stallMs || readPacket(packet)?.isProbe === true
}

/** The frames of one probe of `address` from `leg`. IPv6: MetalLB ignores probes from `::`. */
export function probeFrames(leg: Leg, address: Address): readonly Uint8Array[] {
  if (address.family === 'ipv4') return [requestArp(leg, noAddress, address)]
  const local = leg.addresses.find(({ address: own }) => isLinkLocal(own))
  const frames = [solicit(leg, unspecified, address)]
  if (local !== undefined) frames.push(solicit(leg, local.address, address))
  return frames
}

/** An ordinary request for `address` from our own address on `leg`: whoever has it answers. */
export function controlFrame(leg: Leg, address: Address, to?: Mac): Uint8Array {
  const own = ownAddress(leg, address)
  return address.family === 'ipv4'
    ? requestArp(leg, own ?? noAddress, address, { etherTo: to })
    : solicit(leg, own ?? unspecified, address, to)
}

/**
 * Asks who else has an address that `leg` answers for. IPv4: a probe, since what answers requests for others
 * (proxy ARP, RFC 1027 and RFC 3069) answers none; with our MAC as the target's, which hosts ignore (RFC 5227
 * §1.1), so that no member that claims takes it for a rival's. IPv6: the request from our own address.
 */
export function patrolFrame(leg: Leg, address: Address): Uint8Array {
  return address.family === 'ipv4'
    ? requestArp(leg, noAddress, address, { targetMac: leg.mac })
    : controlFrame(leg, address)
}

/**
 * The same to one MAC, as a host confirms what it knows: a solicitation goes to the address itself (RFC 4861
 * §7.3.3), and no fabric takes it for one to all. MetalLB's speakers do not answer these.
 */
export function confirmFrame(leg: Leg, address: Address, to: Mac): Uint8Array {
  if (address.family === 'ipv4') return controlFrame(leg, address, to)
  const source = ownAddress(leg, address) ?? unspecified
  return encodeNeighbour({ ...solicitation(leg, source, address), etherTo: to, destination: address })
}

function ownAddress(leg: Leg, { family }: Address): Address | undefined {
  const own = leg.addresses.filter(({ address }) => address.family === family)
  return (own.find(({ address }) => family === 'ipv6' && isLinkLocal(address)) ?? own[0])?.address
}

function requestArp(
  leg: Leg, sender: Address, target: Address, to: { etherTo?: Mac | undefined; targetMac?: Mac } = {},
): Uint8Array {
  const { etherTo = broadcastMac, targetMac = noMac } = to
  return encodeArp({
    etherTo, etherFrom: leg.mac, operation: arpRequest, senderMac: leg.mac, sender, targetMac, target,
  })
}

function solicit(leg: Leg, source: Address, target: Address, to?: Mac): Uint8Array {
  const ask = solicitation(leg, source, target)
  return encodeNeighbour(to === undefined ? ask : { ...ask, etherTo: to })
}

function solicitation(leg: Leg, source: Address, target: Address): Neighbour {
  const group = solicitedNodeGroup(target)
  return {
    etherTo: groupMac(group), etherFrom: leg.mac, source, destination: group,
    type: typeSolicitation, target, isSolicited: false, isOverride: false,
    mac: source.bits === 0n ? undefined : leg.mac,
  }
}

/** fe80::/10 */
export function isLinkLocal(address: Address): boolean {
  return address.family === 'ipv6' && address.bits >> 118n === 0x3fan
}

/** The answer of `mac` to the request in `frame`; undefined where it is none. */
export function answerFrame(frame: Uint8Array, mac: Mac): Uint8Array | undefined {
  const packet = decodePacket(frame)
  if (typeof packet === 'string') return undefined
  return isArp(packet) ? answerArp(packet, mac) : answerSolicitation(packet, mac)
}
