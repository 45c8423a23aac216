/** Finds the address a pool would give: the lowest usable one, in the order of its ranges. */
import type { Intent, Pool } from '../config/model.ts'
import type { Address, Family, Range } from '../net/model.ts'
import { rangeContains } from '../net/range.ts'
import { type Foreign, noForeign } from './foreign.ts'
import { findClash, isUsed, type Ledger } from './ledger.ts'
import { addressKey, isBuggy } from './pools.ts'
import { mergeRanges } from './usage.ts'

/** Where the search for free addresses stands in one pool and family. */
interface Cursor {
  readonly ranges: readonly Range[]
  readonly excluded: readonly Range[]
  at: number
  bits: bigint
}

/**
 * Cursors of one plan. They only move forward: a plan frees addresses before it searches, and
 * calls `rewind` where it frees one later.
 */
export interface Search {
  readonly ledger: Ledger
  /** Not offered. */
  readonly avoided: Foreign
  readonly cursors: Map<string, Cursor>
  readonly shared: Map<string, Shared>
}

/** Addresses in use that have room for Services of one kind: same key, backends and ports. */
interface Shared {
  open: Address[]
  /** How far the log of the sharing key was read. */
  read: number
  /** Releases at that time: a later one may have made room. */
  readonly releases: number
}

export function createSearch(ledger: Ledger, avoided: Foreign = noForeign): Search {
  return { ledger, avoided, cursors: new Map(), shared: new Map() }
}

/** Forgets where the search stood in a pool: an address of it has been freed. */
export function rewind(search: Search, pool: Pool, family: Family): void {
  search.cursors.delete(`${family} ${pool.name}`)
}

/**
 * The lowest address of the family in the pool that the service may use: a free one, or one whose
 * sharers agree with it. undefined when there is none. Independent of the size of the pool.
 */
export function findAddress(
  search: Search, pool: Pool, family: Family, service: Intent,
): Address | undefined {
  const free = findFree(search, pool, family)
  let best = free
  for (const shared of findShared(search, pool, family, service)) {
    if (best !== undefined && orderIn(pool, best) <= orderIn(pool, shared)) {
      if (orderIn(pool, best) < orderIn(pool, shared) || best.bits <= shared.bits) continue
    }
    best = shared
  }
  return best
}

/**
 * Addresses of the pool that others use and the service may use beside them. An address that had
 * no room for a Service of this kind is not looked at again: thousands may have the same key and
 * the same port.
 */
function findShared(
  search: Search, pool: Pool, family: Family, service: Intent,
): readonly Address[] {
  const { sharingKey, backendKey } = service
  const sharing = sharingKey === '' ? undefined : search.ledger.byKey.get(sharingKey)
  if (sharing === undefined) return []
  const ports = service.ports.map(({ protocol, port }) => `${protocol}/${port}`)
  const kind = JSON.stringify([family, pool.name, sharingKey, backendKey, ports])
  const known = search.shared.get(kind)
  const shared = known?.releases === sharing.releases
    ? known
    : { open: [], read: 0, releases: sharing.releases }
  search.shared.set(kind, shared)
  const isOpen = (address: Address): boolean =>
    !isAvoided(search, address) && findClash(search.ledger, address, service) === undefined
  const open = shared.open.filter(isOpen)
  for (; shared.read < sharing.log.length; shared.read++) {
    const address = sharing.log[shared.read]
    if (address?.family === family && isOffered(pool, address) && isOpen(address)) open.push(address)
  }
  shared.open = open
  return open
}

/** In the pool, not excluded, not buggy: may be given to a newcomer. */
export function isOffered(pool: Pool, address: Address): boolean {
  return orderIn(pool, address) !== -1 && !isBuggy(pool, address) && !isExcluded(pool, address)
}

/** The annotation `arpeggio.io/exclude` covers the address. */
export function isExcluded(pool: Pool, address: Address): boolean {
  return pool.excluded.some((range) => rangeContains(range, address))
}

/** Index of the range that contains the address; -1 if none does. */
function orderIn(pool: Pool, address: Address): number {
  return pool.ranges.findIndex((range) => rangeContains(range, address))
}

function findFree(search: Search, pool: Pool, family: Family): Address | undefined {
  const cursor = cursorOf(search, pool, family)
  for (;;) {
    const range = cursor.ranges[cursor.at]
    if (range === undefined) return undefined
    if (cursor.bits > range.last) {
      cursor.at++
      cursor.bits = cursor.ranges[cursor.at]?.first ?? 0n
      continue
    }
    const address: Address = { family, bits: cursor.bits }
    const hole = cursor.excluded.find((one) => rangeContains(one, address))
    if (hole !== undefined) cursor.bits = hole.last + 1n
    else if (isBuggy(pool, address) || isUsed(search.ledger, address) || isAvoided(search, address)) {
      cursor.bits++
    } else return address
  }
}

function isAvoided({ avoided }: Search, address: Address): boolean {
  return avoided.size > 0 && avoided.has(addressKey(address))
}

function cursorOf(search: Search, pool: Pool, family: Family): Cursor {
  const key = `${family} ${pool.name}`
  const known = search.cursors.get(key)
  if (known !== undefined) return known
  const ranges = pool.ranges.filter((range) => range.family === family)
  const excluded = mergeRanges(pool.excluded.filter((range) => range.family === family))
  const cursor = { ranges, excluded, at: 0, bits: ranges[0]?.first ?? 0n }
  search.cursors.set(key, cursor)
  return cursor
}
