/** Route netlink messages: requests to bytes, links and addresses from bytes (rtnetlink(7)). */
import { decodeMac, noMac, readBits } from '../frame.ts'
import type { LinkAddress, LinkState } from '../model.ts'
import type { Address } from '../../net/model.ts'
import { prefixOf } from '../../net/range.ts'

const headerBytes = 16
const newLink = 16
const delLink = 17
const getLink = 18
const newAddress = 20
const delAddress = 21
const getAddress = 22
const messageDone = 3
const messageError = 2
const flagRequest = 1
const flagDump = 0x300
/** NLM_F_DUMP_INTR: the dump is inconsistent and must be repeated. */
const flagInterrupted = 0x10

/** Groups of events: RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR. */
export const eventGroups = 0x1 | 0x10 | 0x100

const familyUnspecified = 0
const familyIPv4 = 2
const familyIPv6 = 10

/** What a link message says; addresses come in messages of their own. */
export type LinkFacts = Omit<LinkState, 'addresses'>

export type LinkEvent =
  | { readonly kind: 'link'; readonly link: LinkFacts }
  | { readonly kind: 'linkGone'; readonly index: number }
  | { readonly kind: 'address' | 'addressGone'; readonly index: number
      readonly own: LinkAddress }
  | { readonly kind: 'done'; readonly isInterrupted: boolean }
  | { readonly kind: 'error'; readonly errno: number }

/** A request for all links or all addresses. */
export function encodeDump(what: 'links' | 'addresses'): Uint8Array {
  const bodyBytes = what === 'links' ? 16 : 8
  const bytes = new Uint8Array(headerBytes + bodyBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, bytes.length, true)
  view.setUint16(4, what === 'links' ? getLink : getAddress, true)
  view.setUint16(6, flagRequest | flagDump, true)
  return bytes
}

/**
 * The messages of one datagram, in order; unknown ones are left out. Bridge-port messages
 * (AF_BRIDGE) are too: their "gone" means gone from the bridge.
 */
export function decodeMessages(bytes: Uint8Array): readonly LinkEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const events: LinkEvent[] = []
  for (let at = 0; at + headerBytes <= bytes.length;) {
    const length = view.getUint32(at, true)
    if (length < headerBytes || at + length > bytes.length) break
    const isInterrupted = (view.getUint16(at + 6, true) & flagInterrupted) !== 0
    const body = bytes.subarray(at + headerBytes, at + length)
    const event = decodeBody(view.getUint16(at + 4, true), body, isInterrupted)
    if (event !== undefined) events.push(event)
    at += align(length)
  }
  return events
}

function decodeBody(
  type: number, body: Uint8Array, isInterrupted: boolean,
): LinkEvent | undefined {
  switch (type) {
    case messageDone:
      return { kind: 'done', isInterrupted }
    case messageError: {
      const errno = body.length < 4 ? 0 : -viewOf(body).getInt32(0, true)
      return { kind: 'error', errno }
    }
    case newLink:
    case delLink:
      return decodeLink(type, body)
    case newAddress:
    case delAddress:
      return decodeAddress(type, body)
    default:
      return undefined
  }
}

function decodeLink(type: number, body: Uint8Array): LinkEvent | undefined {
  const view = viewOf(body)
  if (body.length < 16 || view.getUint8(0) !== familyUnspecified) return undefined
  const index = view.getInt32(4, true)
  if (type === delLink) return { kind: 'linkGone', index }
  const flags = view.getUint32(8, true)
  const attributes = readAttributes(body.subarray(16))
  const mac = attributes.get(1)
  const master = attributes.get(10)
  const mtu = attributes.get(4)
  return {
    kind: 'link',
    link: {
      index,
      name: readText(attributes.get(3)),
      mac: mac?.length === 6 ? decodeMac(mac, 0) : noMac,
      mtuBytes: mtu === undefined ? 0 : viewOf(mtu).getUint32(0, true),
      isUp: (flags & 0x1) !== 0,
      hasCarrier: (flags & 0x10000) !== 0,
      master: master === undefined ? undefined : viewOf(master).getUint32(0, true),
      isLoopback: (flags & 0x8) !== 0,
      isNoArp: (flags & 0x80) !== 0,
      isBroadcast: (flags & 0x2) !== 0,
    },
  }
}

/** IFA_F_TENTATIVE and IFA_F_DADFAILED */
const notUsable = 0x40 | 0x08

function decodeAddress(type: number, body: Uint8Array): LinkEvent | undefined {
  if (body.length < 8) return undefined
  const view = viewOf(body)
  const family = view.getUint8(0)
  const attributes = readAttributes(body.subarray(8))
  // IFA_LOCAL is our end of a point-to-point link; IFA_ADDRESS the network's.
  const local = readAddress(family, attributes.get(2) ?? attributes.get(1))
  const network = readAddress(family, attributes.get(1)) ?? local
  if (local === undefined || network === undefined) return undefined
  const wide = attributes.get(8)
  const flags = wide === undefined ? view.getUint8(2) : viewOf(wide).getUint32(0, true)
  return {
    kind: type === newAddress ? 'address' : 'addressGone',
    index: view.getUint32(4, true),
    own: {
      address: local,
      prefix: prefixOf(network, view.getUint8(1)),
      isTentative: (flags & notUsable) !== 0,
    },
  }
}

function readAddress(family: number, bytes: Uint8Array | undefined): Address | undefined {
  if (family === familyIPv4 && bytes?.length === 4) {
    return { family: 'ipv4', bits: readBits(bytes, 0, 4) }
  }
  if (family === familyIPv6 && bytes?.length === 16) {
    return { family: 'ipv6', bits: readBits(bytes, 0, 16) }
  }
  return undefined
}

/** `struct rtattr`: length, type, payload, padded to four bytes. */
function readAttributes(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const view = viewOf(bytes)
  const attributes = new Map<number, Uint8Array>()
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = view.getUint16(at, true)
    if (length < 4 || at + length > bytes.length) break
    attributes.set(view.getUint16(at + 2, true) & 0x3fff, bytes.subarray(at + 4, at + length))
    at += align(length)
  }
  return attributes
}

function readText(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes ?? new Uint8Array(0)).replace(/\0.*$/, '')
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function align(length: number): number {
  return (length + 3) & ~3
}
