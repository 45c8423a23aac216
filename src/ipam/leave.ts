/** Moves Services off addresses that another machine has, unless they asked for them by name. */
import type { Intent, Pool } from '../config/model.ts'
import { sameAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import type { Allocator } from './allocate.ts'
import type { Holder } from './holders.ts'
import { release, take } from './ledger.ts'
import { addressKey, candidatesFor, poolOf } from './pools.ts'
import { findAddress, rewind } from './search.ts'

/** What it holds, another machine has, and it did not ask for by name. */
export function leavable(
  { foreign, stayers }: Allocator, { service, kept }: Pick<Holder, 'service' | 'kept'>,
): readonly Address[] {
  if (foreign.size === 0 || service.refusal !== undefined) return []
  return kept.filter((address) => {
    const mac = foreign.get(addressKey(address))
    return mac !== undefined && !stayers.has(mac) &&
      !service.requested.some((one) => sameAddress(one, address))
  })
}

/** Its own pool first, and only that one where a pool is asked for by name. */
export function poolsInstead(allocator: Allocator, service: Intent, address: Address): readonly Pool[] {
  const own = poolOf(allocator.index, address)
  const first = own === undefined ? [] : [own]
  if (service.requestedPool !== undefined) return first
  const { pinned, open } = candidatesFor(allocator.pools, service)
  return [...first, ...[...pinned, ...open].filter((pool) => pool !== own)]
}

/** Each such address is changed for another; where none is free, it stays. */
export function leaveForeign(allocator: Allocator, holder: Holder): void {
  const { service } = holder
  for (const address of leavable(allocator, holder)) {
    const found = findInstead(allocator, service, address)
    if (found === undefined) continue
    take(allocator.ledger, found, service)
    release(allocator.ledger, address, service)
    holder.kept = holder.kept.map((one) => one === address ? found : one)
    holder.dropped.push({
      address, reason: 'foreignHost', mac: allocator.foreign.get(addressKey(address)) ?? '',
    })
    rewindAll(allocator, address)
  }
}

function findInstead(allocator: Allocator, service: Intent, address: Address): Address | undefined {
  for (const pool of poolsInstead(allocator, service, address)) {
    const found = findAddress(allocator.clear, pool, address.family, service)
    if (found !== undefined) return found
  }
  return undefined
}

/** The address is free by now: searches begin anew in its pool. */
export function rewindAll({ index, search, clear }: Allocator, address: Address): void {
  const pool = poolOf(index, address)
  if (pool === undefined) return
  for (const each of new Set([search, clear])) rewind(each, pool, address.family)
}
