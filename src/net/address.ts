/** Text to address values and back, as strict as Go's net.ParseIP; the only import of ipaddr.js. */
import ipaddr from 'ipaddr.js'
import type { Address, Family } from './model.ts'

const octetPattern = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const ipv4Pattern = new RegExp(`^${octetPattern}(?:\\.${octetPattern}){3}$`)
/** What may stand in IPv6 text at all: keeps zones and stray characters from the library. */
const ipv6Letters = /^[0-9a-fA-F:.]{2,45}$/

/** Number of bits in an address of the family. */
export function familyBits(family: Family): 32 | 128 {
  return family === 'ipv4' ? 32 : 128
}

/**
 * The address written as `text`, or undefined. No leading zeros in octets, no zone, no blanks, no
 * short forms; an IPv4-mapped IPv6 address becomes the IPv4 address.
 * @see MetalLB 0.16: Go's net.ParseIP decides; ipaddr.js alone accepts `1`, `10.0` and `010.0.0.1`
 */
export function parseAddress(text: string): Address | undefined {
  if (ipv4Pattern.test(text)) return { family: 'ipv4', bits: toBits(ipaddr.IPv4.parse(text)) }
  if (!text.includes(':') || !ipv6Letters.test(text) || !hasStrictTail(text)) return undefined
  if (!ipaddr.IPv6.isValid(text)) return undefined
  const bits = toBits(ipaddr.IPv6.parse(text))
  if (bits >> 32n === 0xffffn) return { family: 'ipv4', bits: bits & 0xffffffffn }
  return { family: 'ipv6', bits }
}

/** A dotted tail (`::ffff:1.2.3.4`) must be strict IPv4; each group has at most four digits. */
function hasStrictTail(text: string): boolean {
  const groups = text.split(':')
  const last = groups.at(-1) ?? ''
  if (last.includes('.') && !ipv4Pattern.test(last)) return false
  return groups.every((group, i) =>
    group.length <= 4 || (i === groups.length - 1 && group.includes('.'))
  )
}

function toBits(parsed: ipaddr.IPv4 | ipaddr.IPv6): bigint {
  return parsed.toByteArray().reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n)
}

/** Dotted quad, or RFC 5952 text: lower case, the longest run of zeros compressed. */
export function formatAddress(address: Address): string {
  if (address.family === 'ipv4') {
    const value = Number(address.bits)
    return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`
  }
  const parts: number[] = []
  for (let shift = 112n; shift >= 0n; shift -= 16n) {
    parts.push(Number((address.bits >> shift) & 0xffffn))
  }
  return new ipaddr.IPv6(parts).toRFC5952String()
}

/** 127.0.0.0/8 and ::1: the kernel does not route what comes from outside to them. */
export function isLoopback(address: Address): boolean {
  return address.family === 'ipv4' ? address.bits >> 24n === 127n : address.bits === 1n
}

/** Negative, zero or positive: IPv4 before IPv6, then by value. */
export function compareAddresses(a: Address, b: Address): number {
  if (a.family !== b.family) return a.family === 'ipv4' ? -1 : 1
  return a.bits < b.bits ? -1 : a.bits > b.bits ? 1 : 0
}

export function sameAddress(a: Address, b: Address): boolean {
  return a.bits === b.bits && a.family === b.family
}
