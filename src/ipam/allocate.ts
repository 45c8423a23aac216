/** Finds addresses for one Service: the ones it asks for, from the pool it names, or any. */
import type { Intent, Pool } from '../config/model.ts'
import { suggest } from '../config/suggest.ts'
import { formatAddress } from '../net/address.ts'
import type { Address, Family } from '../net/model.ts'
import type { Foreign } from './foreign.ts'
import { findClash, type Ledger } from './ledger.ts'
import {
  describeClash, describeExhausted, describeNoAutoPool, familyNames,
} from './message.ts'
import type { Refusal } from './model.ts'
import { admits, candidatesFor, isBuggy, type PoolIndex, poolOf } from './pools.ts'
import { findAddress, isExcluded, type Search } from './search.ts'

export interface Refused {
  readonly reason: Refusal
  /** A sentence that counts what is free and says what would help. */
  readonly message: string
}

export interface Found {
  readonly pool: string
  readonly addresses: readonly Address[]
  /** What a PreferDualStack Service does without. */
  readonly lacking: string | undefined
}

export interface Allocator {
  readonly pools: readonly Pool[]
  readonly index: PoolIndex
  readonly ledger: Ledger
  readonly search: Search
  /** Finds only what no other machine has; the same as `search` where none has any. */
  readonly clear: Search
  readonly foreign: Foreign
  /** MACs that nobody moves away from: they answer for everything. */
  readonly stayers: ReadonlySet<string>
}

/** Addresses for a Service that has none, or why there are none. Takes nothing. */
export function allocate(allocator: Allocator, service: Intent): Found | Refused {
  if (service.refusal !== undefined) return service.refusal
  if (allocator.pools.length === 0) {
    return { reason: 'noPool', message: 'no pool is configured: add an IPAddressPool' }
  }
  const named = namedPool(allocator, service)
  if (named !== undefined && 'reason' in named) return named
  if (service.requested.length > 0) return allocateRequested(allocator, service)
  return named === undefined
    ? allocateAutomatic(allocator, service)
    : allocateFrom(allocator, service, named)
}

/** The pool the Service names, if it exists and admits it. */
function namedPool(allocator: Allocator, service: Intent): Pool | Refused | undefined {
  const name = service.requestedPool
  if (name === undefined) return undefined
  const pool = allocator.index.byName.get(name)
  if (pool === undefined) {
    const known = allocator.pools.map((one) => one.name)
    const meant = suggest(name, known)
    const hint = meant === undefined ? '' : `did you mean "${meant}"? `
    return { reason: 'unknownPool', message: `unknown pool "${name}"; ${hint}pools are: ${known.join(', ')}` }
  }
  return admits(pool, service) ? pool : notForService(pool, service)
}

function notForService(pool: Pool, service: Intent): Refused {
  const message = `pool "${pool.name}" is not for this Service: its serviceAllocation admits ` +
    `neither namespace "${service.namespace}" nor these labels, or only one of the two`
  return { reason: 'poolNotForService', message }
}

/** All requested addresses from one pool; autoAssign does not matter (MetalLB 0.16). */
function allocateRequested(allocator: Allocator, service: Intent): Found | Refused {
  const pools = service.requested.map((address) => poolOf(allocator.index, address))
  const [pool] = pools
  for (const [i, address] of service.requested.entries()) {
    const owner = pools[i]
    if (owner === undefined || pool === undefined) {
      const message = `"${formatAddress(address)}" is in no pool; pools are: ` +
        allocator.pools.map((one) => one.name).join(', ')
      return { reason: 'addressNotInPool', message }
    }
    if (owner !== pool) {
      const message = `requested addresses are in two pools, "${pool.name}" and "${owner.name}"`
      return { reason: 'addressesInTwoPools', message }
    }
    const refused = whyNot(allocator, service, owner, address)
    if (refused !== undefined) return refused
  }
  return { pool: pool?.name ?? '', addresses: service.requested, lacking: undefined }
}

function whyNot(
  allocator: Allocator, service: Intent, pool: Pool, address: Address,
): Refused | undefined {
  const text = formatAddress(address)
  if (service.requestedPool !== undefined && service.requestedPool !== pool.name) {
    const message = `requested address "${text}" is in pool "${pool.name}", not in the requested ` +
      `pool "${service.requestedPool}"`
    return { reason: 'addressNotInRequestedPool', message }
  }
  if (!admits(pool, service)) return notForService(pool, service)
  if (isBuggy(pool, address)) {
    const message = `"${text}" ends in .0 or .255, which avoidBuggyIPs of pool "${pool.name}" rules out`
    return { reason: 'addressExcluded', message }
  }
  if (isExcluded(pool, address)) {
    const message = `"${text}" is excluded by an annotation of pool "${pool.name}"`
    return { reason: 'addressExcluded', message }
  }
  const clash = findClash(allocator.ledger, address, service)
  return clash && { reason: clash.reason, message: describeClash(clash, address, service) }
}

function allocateFrom(allocator: Allocator, service: Intent, pool: Pool): Found | Refused {
  for (const search of searchesOf(allocator)) {
    const found = choose(allocator, search, service, [pool])
    if (found !== undefined) return found
  }
  const message = describeExhausted(allocator.ledger, [pool], service)
  return { reason: 'poolExhausted', message }
}

/** An address that another machine has is the last choice: it may be free again one day. */
function searchesOf({ search, clear }: Allocator): readonly Search[] {
  return search === clear ? [search] : [clear, search]
}

/** Pinned pools first; a pinned single-stack pool beats an open dual-stack one (MetalLB 0.16). */
function allocateAutomatic(allocator: Allocator, service: Intent): Found | Refused {
  const { pinned, open } = candidatesFor(allocator.pools, service)
  for (const search of searchesOf(allocator)) {
    const found = choose(allocator, search, service, pinned) ?? choose(allocator, search, service, open)
    if (found !== undefined) return found
  }
  const tried = [...pinned, ...open]
  if (tried.length > 0) {
    return { reason: 'poolExhausted', message: describeExhausted(allocator.ledger, tried, service) }
  }
  return { reason: 'noAutoPool', message: describeNoAutoPool(allocator.pools, service) }
}

/** The first pool with all families; for PreferDualStack else the first with the primary one. */
function choose(
  allocator: Allocator, search: Search, service: Intent, pools: readonly Pool[],
): Found | undefined {
  const { families, policy } = service
  for (const pool of pools) {
    const addresses = findAll(search, service, pool, families)
    if (addresses !== undefined) return { pool: pool.name, addresses, lacking: undefined }
  }
  if (families.length < 2 || policy !== 'PreferDualStack') return undefined
  for (const family of families) {
    for (const pool of pools) {
      const addresses = findAll(search, service, pool, [family])
      if (addresses === undefined) continue
      const missing = families.filter((one) => one !== family)
      const lacking = describeLack(allocator, service, pool, missing)
      return { pool: pool.name, addresses, lacking }
    }
  }
  return undefined
}

/** Which family a Service has to do without. */
export function describeLack(
  { search, clear }: Allocator, service: Intent, pool: Pool | undefined, families: readonly Family[],
): string {
  const isForeign = search !== clear && pool !== undefined &&
    families.some((family) => findAddress(search, pool, family, service) !== undefined)
  return `pool "${pool?.name ?? ''}" has no free ${familyNames(families)} address` +
    (isForeign ? ' that no other machine has' : '')
}

/** One address of each family, IPv4 first as MetalLB orders pairs. */
function findAll(
  search: Search, service: Intent, pool: Pool, families: readonly Family[],
): readonly Address[] | undefined {
  const found = families.map((family) => findAddress(search, pool, family, service))
  const addresses = found.filter((address) => address !== undefined)
  if (addresses.length < families.length) return undefined
  return addresses.toSorted((a, b) => (a.family < b.family ? -1 : a.family > b.family ? 1 : 0))
}
