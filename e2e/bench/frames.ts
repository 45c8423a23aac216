/** Questions for the wire, written byte by byte here: what is measured does not help measuring. */
import { isIPv6 } from 'node:net'
import type { Instruction } from './source.ts'

/** What to ask and how to know the answer. */
export interface Question {
  readonly etherType: number
  readonly frame: Uint8Array
  /** Lets through frames to this host that may be answers. */
  readonly filter: readonly Instruction[]
  /** Where an answer names its target. */
  readonly offset: number
  readonly target: Uint8Array
}

export interface Asker {
  readonly mac: string
  readonly ipv4: string
  readonly ipv6: string
}

/** What a host that does nothing else answers: whole before anybody asks. */
export interface Reply {
  readonly etherType: number
  readonly frame: Uint8Array
  /** Lets through the questions to answer. */
  readonly filter: readonly Instruction[]
}

/** The answer of `mac`, which says it has `target`, to the one asker. */
export function answerOf(target: string, mac: string, asker: Asker): Reply {
  return isIPv6(target) ? advertise(target, mac, asker) : reply(target, mac, asker)
}

/** ARP request, or neighbour solicitation to the solicited-node group, by the form of `target`. */
export function askFor(target: string, asker: Asker): Question {
  return isIPv6(target) ? solicit(target, asker) : request(target, asker)
}

/** RFC 826. */
function request(text: string, { mac, ipv4 }: Asker): Question {
  const target = encodeIPv4(text)
  const from = encodeMac(mac)
  const frame = new Uint8Array(60)
  frame.set([255, 255, 255, 255, 255, 255, ...from, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1])
  frame.set([...from, ...encodeIPv4(ipv4)], 22)
  frame.set(target, 38)
  return { etherType: 0x0806, frame, filter: replyFilter, offset: 28, target }
}

function reply(text: string, mac: string, asker: Asker): Reply {
  const target = encodeIPv4(text)
  const from = encodeMac(mac)
  const to = encodeMac(asker.mac)
  const frame = new Uint8Array(60)
  frame.set([...to, ...from, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2])
  frame.set([...from, ...target, ...to, ...encodeIPv4(asker.ipv4)], 22)
  return { etherType: 0x0806, frame, filter: questionFilter(20, 1, 38, lastWord(target)) }
}

/** RFC 4861 §4.4, solicited, with the MAC. */
function advertise(text: string, mac: string, asker: Asker): Reply {
  const frame = advertisement(text, mac, { to: asker, flags: solicited })
  return { etherType: 0x86dd, frame, filter: questionFilter(54, 135 << 8, 74, lastWord(encodeIPv6(text))) }
}

/** Says to all that `mac` has `target`: a request for the own address (RFC 5227 §3), or RFC 4861 §7.2.6. */
export function announcementOf(target: string, mac: string): Pick<Reply, 'etherType' | 'frame'> {
  if (!isIPv6(target)) return request(target, { mac, ipv4: target, ipv6: '::' })
  return { etherType: 0x86dd, frame: advertisement(target, mac, { to: allNodes, flags: override }) }
}

const solicited = 0x40
const override = 0x20
const allNodes: Asker = { mac: '33:33:00:00:00:01', ipv4: '', ipv6: 'ff02::1' }

function advertisement(
  text: string, mac: string, { to, flags }: { to: Asker; flags: number },
): Uint8Array {
  const target = encodeIPv6(text)
  const from = encodeMac(mac)
  const message = new Uint8Array([136, 0, 0, 0, flags, 0, 0, 0, ...target, 2, 1, ...from])
  const end = { mac: encodeMac(to.mac), address: encodeIPv6(to.ipv6) }
  return wrap({ to: end, from: { mac: from, address: target }, message })
}

/** RFC 4861 §4.3, with the source address and its MAC. */
function solicit(text: string, { mac, ipv6 }: Asker): Question {
  const target = encodeIPv6(text)
  const from = encodeMac(mac)
  const low = target.subarray(13)
  const group = new Uint8Array([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...low])
  const message = new Uint8Array([135, 0, 0, 0, 0, 0, 0, 0, ...target, 1, 1, ...from])
  const to = { mac: [0x33, 0x33, 0xff, ...low], address: group }
  const frame = wrap({ to, from: { mac: from, address: encodeIPv6(ipv6) }, message })
  return { etherType: 0x86dd, frame, filter: advertisementFilter, offset: 62, target }
}

interface End {
  readonly mac: readonly number[]
  readonly address: Uint8Array
}

/** Writes the checksum into an ICMPv6 message, and puts IPv6 and Ethernet around it. */
function wrap({ to, from, message }: { to: End; from: End; message: Uint8Array }): Uint8Array {
  const addresses = [...from.address, ...to.address]
  const sum = checksum([...addresses, 0, 0, 0, message.length, 0, 0, 0, 58, ...message])
  message.set([sum >>> 8, sum & 0xff], 2)
  return new Uint8Array([
    ...to.mac, ...from.mac, 0x86, 0xdd,
    0x60, 0, 0, 0, 0, message.length, 58, 255, ...addresses, ...message,
  ])
}

function lastWord(address: Uint8Array): number {
  return new DataView(address.buffer).getUint32(address.length - 4)
}

/** Questions of a kind (two bytes at an offset) for a target (its last four bytes at another). */
function questionFilter(
  kindAt: number, kind: number, targetAt: number, target: number,
): readonly Instruction[] {
  return [
    [loadHalf, 0, 0, kindAt],
    [jumpEqual, 0, 3, kind],
    [loadWord, 0, 0, targetAt],
    [jumpEqual, 0, 1, target],
    [ret, 0, 0, whole],
    [ret, 0, 0, 0],
  ]
}

const loadWord = 0x20
const loadByte = 0x30
const loadHalf = 0x28
const jumpEqual = 0x15
const ret = 0x06
const whole = 0x40000
/** SKF_AD_OFF + SKF_AD_PKTTYPE; 0 is PACKET_HOST: announcements to all are not for us. */
const packetType = 0xfffff004

const replyFilter: readonly Instruction[] = [
  [loadByte, 0, 0, packetType],
  [jumpEqual, 0, 3, 0],
  [loadHalf, 0, 0, 20],
  [jumpEqual, 0, 1, 2],
  [ret, 0, 0, whole],
  [ret, 0, 0, 0],
]

/** Whatever has the type that the socket was opened for. */
export const anyArp: readonly Instruction[] = [[ret, 0, 0, whole]]

const advertisementFilter: readonly Instruction[] = [
  [loadByte, 0, 0, packetType],
  [jumpEqual, 0, 5, 0],
  [loadByte, 0, 0, 20],
  [jumpEqual, 0, 3, 58],
  [loadByte, 0, 0, 54],
  [jumpEqual, 0, 1, 136],
  [ret, 0, 0, whole],
  [ret, 0, 0, 0],
]

function encodeMac(text: string): readonly number[] {
  return text.split(':').map((byte) => Number.parseInt(byte, 16))
}

function encodeIPv4(text: string): Uint8Array {
  return new Uint8Array(text.split('.').map(Number))
}

function encodeIPv6(text: string): Uint8Array {
  const [head = '', tail = ''] = text.split('::')
  const words = (part: string): string[] => part === '' ? [] : part.split(':')
  const zeros = 8 - words(head).length - words(tail).length
  return new Uint8Array([...words(head), ...Array<string>(zeros).fill('0'), ...words(tail)]
    .map((word) => Number.parseInt(word, 16)).flatMap((word) => [word >>> 8, word & 0xff]))
}

/** RFC 1071, of an even number of bytes. */
function checksum(bytes: readonly number[]): number {
  const sum = bytes.reduce((all, byte, i) => all + (i % 2 === 0 ? byte << 8 : byte), 0)
  const folded = (sum & 0xffff) + (sum >>> 16)
  return ~((folded & 0xffff) + (folded >>> 16)) & 0xffff
}
