/** Counts addresses of pools: usable ones and those in use, by family. */
import type { Config, Pool } from '../config/model.ts'
import type { Address, Range } from '../net/model.ts'
import type { Verdict } from './model.ts'
import { addressKey, createPoolIndex, poolOf } from './pools.ts'

export interface FamilyCounts {
  readonly ipv4: bigint
  readonly ipv6: bigint
}

export interface PoolUsage {
  readonly pool: string
  readonly capacity: FamilyCounts
  /** Distinct addresses: one that several Services share counts once. */
  readonly used: FamilyCounts
}

/**
 * Usable addresses of a pool: all, less excluded ones and, with avoidBuggyIPs, IPv4 addresses
 * ending in .0 and .255. Exact, where MetalLB clamps at 2⁶³−1 and can overflow.
 */
export function poolCapacity(pool: Pool): FamilyCounts {
  const counts = { ipv4: 0n, ipv6: 0n }
  const excluded = mergeRanges(pool.excluded)
  for (const range of pool.ranges) {
    for (const part of subtract(range, excluded)) {
      const buggy = pool.avoidBuggyIPs && part.family === 'ipv4' ? countBuggy(part) : 0n
      counts[part.family] += part.last - part.first + 1n - buggy
    }
  }
  return counts
}

/** Usage of every pool, in the order of the configuration, after these verdicts. */
export function poolUsage(config: Config, verdicts: readonly Verdict[]): readonly PoolUsage[] {
  const index = createPoolIndex(config.pools)
  const used = new Map<string, { ipv4: bigint; ipv6: bigint }>()
  const seen = new Set<number | bigint>()
  const count = (address: Address): void => {
    const pool = poolOf(index, address)
    const key = addressKey(address)
    if (pool === undefined || seen.has(key)) return
    seen.add(key)
    const counts = used.get(pool.name) ?? { ipv4: 0n, ipv6: 0n }
    counts[address.family]++
    used.set(pool.name, counts)
  }
  for (const verdict of verdicts) {
    if (verdict.kind === 'assigned' || verdict.kind === 'kept') verdict.addresses.forEach(count)
  }
  return config.pools.map((pool) => ({
    pool: pool.name,
    capacity: poolCapacity(pool),
    used: used.get(pool.name) ?? { ipv4: 0n, ipv6: 0n },
  }))
}

/** IPv4 addresses of the range that end in .0 or .255. */
function countBuggy(range: Range): bigint {
  const endingIn = (octet: bigint): bigint =>
    floorDivide(range.last - octet, 256n) - floorDivide(range.first - 1n - octet, 256n)
  return endingIn(0n) + endingIn(255n)
}

function floorDivide(a: bigint, b: bigint): bigint {
  return a >= 0n ? a / b : -((-a + b - 1n) / b)
}

/** Sorted, overlapping and adjacent ranges joined. */
export function mergeRanges(ranges: readonly Range[]): readonly Range[] {
  const merged: Range[] = []
  const order = (a: Range, b: Range): number =>
    a.family === b.family ? (a.first < b.first ? -1 : 1) : a.family < b.family ? -1 : 1
  for (const range of ranges.toSorted(order)) {
    const last = merged.at(-1)
    if (last !== undefined && last.family === range.family && range.first <= last.last + 1n) {
      merged[merged.length - 1] = { ...last, last: last.last > range.last ? last.last : range.last }
    } else {
      merged.push(range)
    }
  }
  return merged
}

/** The parts of `range` outside `holes`, which are merged. */
function subtract(range: Range, holes: readonly Range[]): readonly Range[] {
  const parts: Range[] = []
  let { first } = range
  for (const hole of holes) {
    if (hole.family !== range.family || hole.last < first || hole.first > range.last) continue
    if (hole.first > first) parts.push({ ...range, first, last: hole.first - 1n })
    first = hole.last + 1n
  }
  if (first <= range.last) parts.push({ ...range, first })
  return parts
}

