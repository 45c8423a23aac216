/** Finds the pool of an address, and which pools a Service may use in which order. */
import type { Intent, Pool } from '../config/model.ts'
import { matchesAny } from '../config/selector.ts'
import type { Address, Range } from '../net/model.ts'

export type AddressKey = number | bigint

/** Map key of an address: numbers and bigints never collide. */
export function addressKey(address: Address): AddressKey {
  return address.family === 'ipv4' ? Number(address.bits) : address.bits
}

/** Ranges of all pools, sorted, for binary search. They are disjoint by configuration. */
export interface PoolIndex {
  readonly ipv4: readonly { readonly range: Range; readonly pool: Pool }[]
  readonly ipv6: readonly { readonly range: Range; readonly pool: Pool }[]
  readonly byName: ReadonlyMap<string, Pool>
}

export function createPoolIndex(pools: readonly Pool[]): PoolIndex {
  const all = pools.flatMap((pool) => pool.ranges.map((range) => ({ range, pool })))
  const sorted = all.toSorted((a, b) => (a.range.first < b.range.first ? -1 : 1))
  return {
    ipv4: sorted.filter(({ range }) => range.family === 'ipv4'),
    ipv6: sorted.filter(({ range }) => range.family === 'ipv6'),
    byName: new Map(pools.map((pool) => [pool.name, pool])),
  }
}

/** The pool that contains the address, excluded and buggy ones included. O(log ranges). */
export function poolOf(index: PoolIndex, address: Address): Pool | undefined {
  const rows = index[address.family]
  let low = 0
  let high = rows.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const row = rows[middle]
    if (row !== undefined && row.range.last < address.bits) low = middle + 1
    else high = middle
  }
  const found = rows[low]
  return found !== undefined && found.range.first <= address.bits ? found.pool : undefined
}

/** Whether the pool's `serviceAllocation` admits the Service: namespace and labels together. */
export function admits(pool: Pool, service: Intent): boolean {
  const { allocation } = pool
  if (allocation === undefined) return true
  const { namespaces, serviceSelectors } = allocation
  if (namespaces !== undefined && !namespaces.has(service.namespace)) return false
  return matchesAny(serviceSelectors, service.labels)
}

/** avoidBuggyIPs rules the address out: IPv4 ending in .0 or .255. */
export function isBuggy(pool: Pool, address: Address): boolean {
  if (!pool.avoidBuggyIPs || address.family !== 'ipv4') return false
  const octet = address.bits & 0xffn
  return octet === 0n || octet === 255n
}

/** Pools that may be chosen automatically, in two phases: pinned by priority, then open ones. */
export interface Candidates {
  readonly pinned: readonly Pool[]
  readonly open: readonly Pool[]
}

/**
 * Smaller priorities first, 0 (unset) last; equals by name, where MetalLB's order is random.
 * `priority` never applies to open pools (MetalLB 0.16).
 */
export function candidatesFor(pools: readonly Pool[], service: Intent): Candidates {
  const usable = pools.filter((pool) => pool.autoAssign && admits(pool, service))
  const rank = (pool: Pool): number => pool.allocation?.priority || Number.MAX_SAFE_INTEGER
  const pinned = usable.filter((pool) => pool.allocation !== undefined)
  return {
    pinned: pinned.toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1)),
    open: usable.filter((pool) => pool.allocation === undefined),
  }
}
