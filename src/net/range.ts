/** Runs of addresses and networks: parsing, arithmetic, and the minimal list of networks. */
import { familyBits, formatAddress, parseAddress } from './address.ts'
import type { Address, Family, Prefix, Range } from './model.ts'

export type ParsedRange = { readonly range: Range } | { readonly message: string }

/** The blanks Go's strings.TrimSpace removes: Unicode White_Space, so NEL but not U+FEFF. */
const goSpace = '[\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'
const goTrim = new RegExp(`^${goSpace}+|${goSpace}+$`, 'g')

/** Removes the blanks around a text that MetalLB removes; `trim()` differs on NEL and U+FEFF. */
export function trimBlanks(text: string): string {
  return text.replace(goTrim, '')
}

/**
 * One entry of a pool's `addresses`: `start-end` if it has a dash, else a network. Host bits of a
 * network are cleared. Mixed families and ranges that touch the IPv4-mapped block from IPv6 are
 * refused, where MetalLB makes an empty pool of them.
 * @see MetalLB 0.16 for the wording of the messages
 */
export function parseRange(entry: string): ParsedRange {
  const dash = entry.indexOf('-')
  if (dash === -1) {
    const prefix = parsePrefix(entry)
    return prefix === undefined
      ? { message: `invalid CIDR "${entry}"` }
      : { range: prefixRange(prefix) }
  }
  const invalid = (why: string): ParsedRange => ({ message: `invalid IP range "${entry}": ${why}` })
  const startText = entry.slice(0, dash)
  const endText = entry.slice(dash + 1)
  const start = parseAddress(trimBlanks(startText))
  if (start === undefined) return invalid(`invalid start IP "${startText}"`)
  const end = parseAddress(trimBlanks(endText))
  if (end === undefined) return invalid(`invalid end IP "${endText}"`)
  if (start.family !== end.family) return invalid('start and end are of different families')
  if (start.bits > end.bits) {
    const [a, b] = [formatAddress(start), formatAddress(end)]
    return invalid(`start IP "${a}" is after the end IP "${b}"`)
  }
  const range = { family: start.family, first: start.bits, last: end.bits }
  if (touchesMapped(range)) return invalid('it contains IPv4-mapped addresses; write them as IPv4')
  return { range }
}

/** ::ffff:0:0/96, whose addresses this program knows as IPv4 only. */
const mapped: Range = {
  family: 'ipv6', first: 0xffff00000000n, last: 0xffffffffffffn,
}

function touchesMapped(range: Range): boolean {
  return range.family === 'ipv6' && rangesOverlap(range, mapped)
}

/**
 * A network in CIDR notation, host bits cleared; undefined if it is none. Leading zeros are
 * allowed in the length only, as in Go's net.ParseCIDR. `::ffff:a.b.c.d/n` is IPv4 from n = 96.
 */
export function parsePrefix(text: string): Prefix | undefined {
  const match = /^([^/]+)\/(\d{1,9})$/.exec(text)
  const address = match?.[1] === undefined ? undefined : parseAddress(match[1])
  if (address === undefined || match === null) return undefined
  const isMapped = address.family === 'ipv4' && match[1]?.includes(':') === true
  const length = Number(match[2]) - (isMapped ? 96 : 0)
  if (length < 0 || length > familyBits(address.family)) return undefined
  const prefix = prefixOf(address, length)
  return touchesMapped(prefixRange(prefix)) && length > 0 ? undefined : prefix
}

/** The network of `length` bits that contains the address. */
export function prefixOf(address: Address, length: number): Prefix {
  const hostBits = BigInt(familyBits(address.family) - length)
  return { family: address.family, bits: (address.bits >> hostBits) << hostBits, length }
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix)}/${prefix.length}`
}

export function prefixContains(prefix: Prefix, address: Address): boolean {
  if (prefix.family !== address.family) return false
  const hostBits = BigInt(familyBits(prefix.family) - prefix.length)
  return prefix.bits >> hostBits === address.bits >> hostBits
}

/** All addresses of a network, first and last included. */
export function prefixRange(prefix: Prefix): Range {
  const hosts = 1n << BigInt(familyBits(prefix.family) - prefix.length)
  return { family: prefix.family, first: prefix.bits, last: prefix.bits + hosts - 1n }
}

/** `first-last`, also for a single address. */
export function formatRange({ family, first, last }: Range): string {
  return `${formatAddress({ family, bits: first })}-${formatAddress({ family, bits: last })}`
}

/** Number of addresses, at least 1. */
export function rangeSize(range: Range): bigint {
  return range.last - range.first + 1n
}

export function rangeContains(range: Range, address: Address): boolean {
  return range.family === address.family && range.first <= address.bits && address.bits <= range.last
}

export function rangesOverlap(a: Range, b: Range): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last
}

/** The fewest networks that make up the range, ascending. */
export function rangePrefixes(range: Range): readonly Prefix[] {
  const prefixes: Prefix[] = []
  let at = range.first
  while (at <= range.last) {
    const length = longestStep(range.family, at, range.last)
    prefixes.push({ family: range.family, bits: at, length })
    at += 1n << BigInt(familyBits(range.family) - length)
  }
  return prefixes
}

/** Length of the largest network that starts at `at` and does not pass `last`. */
function longestStep(family: Family, at: bigint, last: bigint): number {
  const bits = familyBits(family)
  let hostBits = 0
  while (hostBits < bits) {
    const size = 1n << BigInt(hostBits + 1)
    if (at % size !== 0n || at + size - 1n > last) break
    hostBits++
  }
  return bits - hostBits
}
