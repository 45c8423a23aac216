/** What a member tells of itself in gossip: that it speaks beats, and its interfaces. At most 512 bytes. */
import { decodeMac, encodeMac, noMac, readBits, writeBits } from '../l2/frame.ts'
import type { Address } from '../net/model.ts'
import { prefixOf } from '../net/range.ts'
import type { Leg } from './model.ts'
import { isLinkLocal } from './wire.ts'

/** The most that memberlist carries with a member. */
export const metaBytes = 512

/** `arp`, and the version of what follows. */
const magic = [0x61, 0x72, 0x70, 0x01] as const

type LegAddress = Leg['addresses'][number]

/** A leg without name, MAC and addresses: whoever sends it is leaving. Older members see no more in it. */
const goodbye = encodeLeg({ name: '', mac: noMac, addresses: [] })

/**
 * Legs in their order, as many as fit: magic, then for each a name with its length, the MAC, the
 * number of addresses, and for each its length in bytes, its bytes and the length of its prefix.
 * Where they do not all fit, addresses that only the link knows go first.
 */
export function encodeMeta(legs: readonly Leg[], isLeaving = false): Uint8Array {
  const whole = legs.map(encodeLeg)
  const isTight = magic.length + goodbye.length + sum(whole) > metaBytes
  const parts = isTight ? legs.map((leg) => encodeLeg({
    ...leg, addresses: leg.addresses.filter(({ address }) => !isLinkLocal(address)),
  })) : whole
  const out: number[] = [...magic, ...isLeaving ? goodbye : []]
  for (const part of parts) if (out.length + part.length <= metaBytes) out.push(...part)
  return Uint8Array.from(out)
}

function sum(parts: readonly (readonly number[])[]): number {
  return parts.reduce((total, { length }) => total + length, 0)
}

function encodeLeg({ name, mac, addresses }: Omit<Leg, 'ifindex'>): readonly number[] {
  const text = new TextEncoder().encode(name)
  const bytes = new Uint8Array(6)
  encodeMac(mac, bytes, 0)
  return [text.length, ...text, ...bytes, addresses.length, ...addresses.flatMap(encodeAddress)]
}

function encodeAddress({ address, prefix }: LegAddress): readonly number[] {
  const bytes = new Uint8Array(address.family === 'ipv4' ? 4 : 16)
  writeBits(bytes, 0, bytes.length, address.bits)
  return [bytes.length, ...bytes, prefix.length]
}

/** Whether the member says that it hands over what it owns, and goes. */
export function isGoodbye(meta: Uint8Array): boolean {
  return [...magic, ...goodbye].every((byte, i) => meta[i] === byte)
}

/** The legs of a member that speaks beats; undefined of one that does not, or whose text is broken. */
export function decodeMeta(meta: Uint8Array): readonly Leg[] | undefined {
  if (!magic.every((byte, i) => meta[i] === byte)) return undefined
  const legs: Leg[] = []
  for (let at: number = magic.length; at < meta.length;) {
    const read = decodeLeg(meta, at)
    if (read === undefined) return undefined
    if (read.leg.name !== '') legs.push(read.leg)
    at = read.end
  }
  return legs
}

function decodeLeg(meta: Uint8Array, start: number): { leg: Leg; end: number } | undefined {
  const nameBytes = meta[start] ?? 0
  const macAt = start + 1 + nameBytes
  const count = meta[macAt + 6]
  if (count === undefined) return undefined
  const name = new TextDecoder().decode(meta.subarray(start + 1, macAt))
  const addresses: LegAddress[] = []
  let at = macAt + 7
  for (let i = 0; i < count; i++) {
    const bytes = meta[at]
    const length = meta[at + 1 + (bytes ?? 0)]
    if ((bytes !== 4 && bytes !== 16) || length === undefined || length > bytes * 8) return undefined
    const address: Address = {
      family: bytes === 4 ? 'ipv4' : 'ipv6', bits: readBits(meta, at + 1, bytes),
    }
    addresses.push({ address, prefix: prefixOf(address, length) })
    at += bytes + 2
  }
  return { leg: { name, ifindex: 0, mac: decodeMac(meta, macAt), addresses }, end: at }
}
