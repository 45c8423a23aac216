/** Decides whether this node answers one received frame, and with which bytes. */
import type { Address, Millis } from '../net/model.ts'
import { answerArp, type ArpPacket, arpRequest } from './arp.ts'
import { broadcastMac } from './frame.ts'
import type { Drop, Mac } from './model.ts'
import {
  answerSolicitation, groupMac, type Neighbour, solicitedNodeGroup, typeSolicitation,
} from './ndp.ts'
import { decodePacket, isArp, type Packet } from './packet.ts'

/** One interface the responder answers on. */
export interface AnswerLink {
  readonly index: number
  /** Differs after the interface was gone and came back under the same index. */
  readonly generation?: number | undefined
  readonly mac: Mac
}

/** One address the responder answers for. */
export interface Answer {
  readonly address: Address
  /** Formatted address: the key of counters. */
  readonly text: string
  readonly ifindexes: ReadonlySet<number>
  /** Last instant at which an answer may leave (the fence); Infinity when this host is alone. */
  readonly notAfterMs: Millis
}

/** Everything the responder reads: plain data, so that it can be handed to another thread. */
export interface AnswerTable {
  readonly links: ReadonlyMap<number, AnswerLink>
  /** By `answerKey`. */
  readonly answers: ReadonlyMap<bigint, Answer>
}

export const emptyTable: AnswerTable = { links: new Map(), answers: new Map() }

export type Outcome =
  | { readonly kind: 'reply'; readonly text: string; readonly frame: Uint8Array }
  /** A request for `text` reached us and is not ours to answer here and now. */
  | { readonly kind: 'drop'; readonly reason: Drop }

/** Above all of IPv6. */
const ipv4Keys = 1n << 128n

/** Key of an address in an `AnswerTable`: families do not collide. */
export function answerKey(address: Address): bigint {
  return address.family === 'ipv4' ? address.bits | ipv4Keys : address.bits
}

/**
 * The fate of one frame received untagged on interface `ifindex` at `now`. Reasons are tested in
 * the order of MetalLB's responder: kind of message, then Ethernet destination, then target, then
 * interface; the fence comes last. Sender address and subnet are not looked at: probes and
 * requests from foreign subnets are answered.
 */
export function respond(
  table: AnswerTable, ifindex: number, frame: Uint8Array, now: Millis,
): Outcome {
  return respondTo(table, ifindex, decodePacket(frame), now)
}

/** The same of a frame that has been decoded. */
export function respondTo(
  table: AnswerTable, ifindex: number, packet: Packet | Drop, now: Millis,
): Outcome {
  const link = table.links.get(ifindex)
  if (link === undefined) return drop('notThisInterface')
  if (typeof packet === 'string') return drop(packet)
  if (packet.etherFrom === link.mac) return drop('ownFrame')
  return isArp(packet)
    ? respondArp(table, link, packet, now)
    : respondNeighbour(table, link, packet, now)
}

function respondArp(table: AnswerTable, link: AnswerLink, packet: ArpPacket, now: Millis): Outcome {
  if (packet.operation !== arpRequest) return drop('notRequest')
  if (packet.etherTo !== broadcastMac && packet.etherTo !== link.mac) {
    return drop('ethernetDestination')
  }
  const answer = findAnswer(table, link, packet.target, now)
  if (typeof answer === 'string') return drop(answer)
  return { kind: 'reply', text: answer.text, frame: answerArp(packet, link.mac) }
}

function respondNeighbour(
  table: AnswerTable, link: AnswerLink, packet: Neighbour, now: Millis,
): Outcome {
  if (packet.type !== typeSolicitation) return drop('notRequest')
  const isForUs = packet.etherTo === link.mac || packet.etherTo.startsWith('33:33:00:00:00:') ||
    packet.etherTo === groupMac(solicitedNodeGroup(packet.target))
  if (!isForUs) return drop('ethernetDestination')
  const answer = findAnswer(table, link, packet.target, now)
  if (typeof answer === 'string') return drop(answer)
  return { kind: 'reply', text: answer.text, frame: answerSolicitation(packet, link.mac) }
}

function findAnswer(
  table: AnswerTable, link: AnswerLink, target: Address, now: Millis,
): Answer | Drop {
  const answer = table.answers.get(answerKey(target))
  if (answer === undefined) return 'notAnnounced'
  if (!answer.ifindexes.has(link.index)) return 'notThisInterface'
  return now < answer.notAfterMs ? answer : 'fenced'
}

function drop(reason: Drop): Outcome {
  return { kind: 'drop', reason }
}
