/** What hosts put on the wire and read from it: asks, answers, and who claims which address. */
import { arpReply, arpRequest, decodeArp, encodeArp } from '../l2/arp.ts'
import { broadcastMac, etherTypeArp, readUint16 } from '../l2/frame.ts'
import type { Mac } from '../l2/model.ts'
import {
  decodeNeighbour, encodeNeighbour, groupMac, solicitedNodeGroup, typeAdvertisement,
  typeSolicitation, unsolicited,
} from '../l2/ndp.ts'
import { announceArp } from '../l2/arp.ts'
import type { Address } from '../net/model.ts'

/** "I have `address`, and this is my MAC": an answer, a gratuitous ARP, an advertisement. */
export interface Voice {
  readonly address: Address
  readonly mac: Mac
}

/** What a frame says or asks; undefined when it is neither ARP nor NDP. */
export type Speech =
  | { readonly kind: 'voice'; readonly voice: Voice }
  | { readonly kind: 'ask'; readonly target: Address; readonly sender: Address
      readonly senderMac: Mac; readonly isUnicast: boolean }

export function hear(frame: Uint8Array): Speech | undefined {
  if (frame !== last.frame) {
    last.frame = frame
    last.speech = readUint16(frame, 12) === etherTypeArp ? hearArp(frame) : hearNeighbour(frame)
  }
  return last.speech
}

/** A broadcast is read by all hosts in turn, and nobody changes it. */
const last: { frame: Uint8Array | undefined; speech: Speech | undefined } = {
  frame: undefined, speech: undefined,
}

function hearArp(frame: Uint8Array): Speech | undefined {
  const packet = decodeArp(frame)
  if (typeof packet === 'string') return undefined
  const { operation, sender, senderMac, target, etherTo } = packet
  const isGratuitous = sender.bits === target.bits
  if (operation === arpReply || isGratuitous) {
    return { kind: 'voice', voice: { address: sender, mac: senderMac } }
  }
  return { kind: 'ask', target, sender, senderMac, isUnicast: etherTo !== broadcastMac }
}

function hearNeighbour(frame: Uint8Array): Speech | undefined {
  const packet = decodeNeighbour(frame)
  if (typeof packet === 'string') return undefined
  const { type, target, source, mac, etherFrom, destination } = packet
  if (type === typeAdvertisement) {
    return { kind: 'voice', voice: { address: target, mac: mac ?? etherFrom } }
  }
  const isUnicast = destination.bits === target.bits
  return { kind: 'ask', target, sender: source, senderMac: mac ?? etherFrom, isUnicast }
}

/** A request as Linux sends it: broadcast to resolve, unicast to `to` to confirm. */
export function askFrame(
  target: Address, from: { readonly address: Address; readonly mac: Mac }, to?: Mac,
): Uint8Array {
  const { address: sender, mac } = from
  if (target.family === 'ipv4') {
    return encodeArp({
      etherTo: to ?? broadcastMac, etherFrom: mac, operation: arpRequest, senderMac: mac, sender,
      targetMac: to ?? '00:00:00:00:00:00', target,
    })
  }
  const group = solicitedNodeGroup(target)
  return encodeNeighbour({
    etherTo: to ?? groupMac(group), etherFrom: mac, source: sender,
    destination: to === undefined ? group : target, type: typeSolicitation, target,
    isSolicited: false, isOverride: false, mac,
  })
}

/** The answer of an ordinary host to an ask for its own address. */
export function answerFrame(ask: Speech & { kind: 'ask' }, mac: Mac): Uint8Array {
  const { target, sender, senderMac } = ask
  if (target.family === 'ipv4') {
    return encodeArp({
      etherTo: senderMac, etherFrom: mac, operation: arpReply, senderMac: mac, sender: target,
      targetMac: senderMac, target: sender,
    })
  }
  const isProbe = sender.bits === 0n
  return encodeNeighbour({
    ...unsolicited(target, mac),
    ...(isProbe ? {} : { etherTo: senderMac, destination: sender, isSolicited: true }),
  })
}

/** The gratuitous frames by which a host says that it has an address. */
export function announceFrames(address: Address, mac: Mac): readonly Uint8Array[] {
  return address.family === 'ipv4'
    ? announceArp(address, mac)
    : [encodeNeighbour(unsolicited(address, mac))]
}
