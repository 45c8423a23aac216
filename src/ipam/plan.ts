/** Decides which addresses each Service holds: holders first, then newcomers, oldest first. */
import type { Config, Intent } from '../config/model.ts'
import { formatAddress, sameAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import { allocate, type Allocator, describeLack, type Found, type Refused } from './allocate.ts'
import { answerersForAll, type Foreign, noForeign } from './foreign.ts'
import { confirm, type Holder } from './holders.ts'
import { leavable, leaveForeign, poolsInstead, rewindAll } from './leave.ts'
import { createLedger, release, take } from './ledger.ts'
import type { Dropped, Verdict } from './model.ts'
import {
  type AddressKey, addressKey, candidatesFor, createPoolIndex, type PoolIndex, poolOf,
} from './pools.ts'
import { createSearch, findAddress } from './search.ts'

/** Addresses by Service key, as far as they are asked for. */
export type KnownHeld = Pick<ReadonlyMap<string, readonly Address[]>, 'get' | 'has'>

export interface AllocationInput {
  readonly config: Config
  readonly services: readonly Intent[]
  /** What this program knows that Services hold; goes before their status. */
  readonly ledger?: KnownHeld
  /** '' or absent: Services without class; else only those of this class. */
  readonly loadBalancerClass?: string
  /**
   * Addresses that machines have which are none of ours: given last, and left by who did not ask for them
   * by name, where another is free.
   */
  readonly foreign?: Foreign
}

/**
 * One verdict per Service of ours, sorted by key. Pure: the same input gives the same verdicts,
 * and planning again with the result as ledger changes nothing. Order: holders are confirmed
 * oldest first, then holders that ask for something else are served, then newcomers by creation
 * time (absent: last), then by position in the input.
 */
export function planAllocation(input: AllocationInput): readonly Verdict[] {
  return planAfresh(input).verdicts
}

/** The same, with the allocator in which all that is held by now is taken. */
export function planAfresh(
  input: AllocationInput,
): { readonly verdicts: readonly Verdict[]; readonly allocator: Allocator } {
  const { config, services } = input
  const ours = services.filter((service) => isOurs(service, input.loadBalancerClass)).toSorted(compareAge)
  const verdicts: Verdict[] = services
    .filter((service) => !isOurs(service, input.loadBalancerClass))
    .flatMap((service) => judgeOther(service, input) ?? [])
  const allocator = createAllocator(config, input.foreign ?? noForeign)
  const holders = ours.map((service) => createHolder(service, input))
  if (config.pools.length > 0) {
    for (const holder of holders) confirm(allocator.index, allocator.ledger, holder)
  }
  const settled = settleHolders(allocator, holders.filter((holder) => holder.kept.length > 0))
  for (const holder of holders) {
    verdicts.push(settled.get(holder) ?? serveNewcomer(allocator, holder, input))
  }
  return { verdicts: verdicts.toSorted(compareVerdicts), allocator }
}

export function compareVerdicts(a: Verdict, b: Verdict): number {
  return a.service < b.service ? -1 : a.service > b.service ? 1 : 0
}

/**
 * Serves holders until nothing moves: one that moves away may free what another asks for. After
 * the first round only those are asked again that wait for what the last one freed.
 */
function settleHolders(
  allocator: Allocator, holders: readonly Holder[],
): ReadonlyMap<Holder, Verdict> {
  const settled = new Map<Holder, Verdict>()
  const waiting = new Map<WaitKey, Holder[]>()
  for (const holder of holders) {
    for (const key of waitKeys(allocator, holder)) {
      const list = waiting.get(key)
      if (list === undefined) waiting.set(key, [holder])
      else list.push(holder)
    }
  }
  const place = new Map(holders.map((holder, i) => [holder, i]))
  for (let asked = holders; asked.length > 0;) {
    const woken = new Set<Holder>()
    for (const holder of asked) {
      const before = holder.dropped.length
      settled.set(holder, serveHolder(allocator, holder))
      for (const { address } of holder.dropped.slice(before)) {
        const pool = poolOf(allocator.index, address)?.name ?? ''
        const freed = [waiting.get(addressKey(address)), waiting.get(pool)]
        for (const one of freed.flatMap((list) => list ?? [])) woken.add(one)
      }
    }
    asked = [...woken]
      .filter((holder) => !meetsRequest(allocator, holder) || leavable(allocator, holder).length > 0)
      .toSorted((a, b) => (place.get(a) ?? 0) - (place.get(b) ?? 0))
  }
  return settled
}

/** An address, by its key, or the name of a pool. */
type WaitKey = AddressKey | string

/** What would have to be freed for a Service that cannot have what it asks for, or cannot leave. */
function waitKeys(allocator: Allocator, holder: Holder): readonly WaitKey[] {
  const { service } = holder
  const { requested, requestedPool } = service
  const instead = leavable(allocator, holder)
    .flatMap((address) => poolsInstead(allocator, service, address).map(({ name }) => name))
  if (requested.length > 0) return [...requested.map(addressKey), ...instead]
  return requestedPool === undefined ? instead : [requestedPool, ...instead]
}

function createAllocator(config: Config, foreign: Foreign): Allocator {
  const index = createPoolIndex(config.pools)
  const ledger = createLedger(index)
  const search = createSearch(ledger)
  return {
    pools: config.pools, index, ledger, search, foreign, stayers: answerersForAll(foreign),
    clear: foreign.size === 0 ? search : createSearch(ledger, foreign),
  }
}

/** A Service to be given addresses by whoever serves this class; '' = Services without one. */
export function isOurs(service: Intent, loadBalancerClass = ''): boolean {
  return service.isLoadBalancer && (service.loadBalancerClass ?? '') === loadBalancerClass
}

/** Oldest first; absent ages last; equal ones in document order. */
export function compareAge(a: Intent, b: Intent): number {
  const ages = (a.createdAtMs ?? Number.MAX_VALUE) - (b.createdAtMs ?? Number.MAX_VALUE)
  return ages || a.order - b.order
}

/** Services of another type or class: released if they hold an address of ours, else ignored. */
export function judgeOther(service: Intent, input: AllocationInput): Verdict | undefined {
  const known = input.ledger?.get(service.key) ?? []
  const index = known.length > 0 ? undefined : createHeldIndex(service, input)
  const inPools = service.held.filter((one) => index !== undefined && poolOf(index, one) !== undefined)
  const held = known.length > 0 ? known : service.isLoadBalancer ? [] : inPools
  if (held.length > 0) {
    const reason = service.isLoadBalancer ? 'otherClass' : 'notLoadBalancer'
    const dropped = held.map((address) => ({ address, reason } as const))
    return { kind: 'released', service: service.key, reason, dropped }
  }
  return service.isLoadBalancer
    ? { kind: 'ignored', service: service.key, reason: 'otherClass' }
    : undefined
}

function createHeldIndex(service: Intent, input: AllocationInput): PoolIndex | undefined {
  return service.held.length === 0 ? undefined : createPoolIndex(input.config.pools)
}

export function createHolder(service: Intent, input: AllocationInput): Holder {
  const held = input.ledger?.get(service.key) ?? service.held
  return { service, held, kept: [], dropped: [] }
}

/** A Service that keeps something: perhaps it asks for another address, or lacks a family. */
function serveHolder(allocator: Allocator, holder: Holder): Verdict {
  const { service } = holder
  if (service.refusal !== undefined) return keep(allocator, holder, service.refusal.message)
  if (!meetsRequest(allocator, holder)) return serveRequest(allocator, holder)
  leaveForeign(allocator, holder)
  const missing = service.families.filter((family) =>
    !holder.kept.some((address) => address.family === family)
  )
  const [family] = missing
  const [first] = holder.kept
  if (family === undefined || first === undefined) return keep(allocator, holder, undefined)
  const own = poolOf(allocator.index, first)
  // PreferDualStack never leaves its pool for the second family (MetalLB 0.16).
  const { pinned, open } = candidatesFor(allocator.pools, service)
  const mayLeave = service.policy === 'RequireDualStack' && service.requestedPool === undefined
  const others = mayLeave ? [...pinned, ...open].filter((pool) => pool !== own) : []
  for (const pool of own === undefined ? others : [own, ...others]) {
    const address = findAddress(allocator.clear, pool, family, service)
    if (address === undefined) continue
    take(allocator.ledger, address, service)
    return settle(allocator, holder, { addresses: [...holder.kept, address], lacking: undefined })
  }
  const lack = describeLack(allocator, service, own, [family])
  return keep(allocator, holder, `cannot assign additional IP: ${lack}`)
}

/** It has what it asks for by address and by pool. */
export function meetsRequest(
  allocator: Allocator, holder: Pick<Holder, 'service' | 'kept'>,
): boolean {
  const { requested, requestedPool } = holder.service
  const hasAll = requested.length === 0 || (requested.length === holder.kept.length &&
    requested.every((address) => holder.kept.some((one) => sameAddress(one, address))))
  return hasAll && (requestedPool === undefined || holder.kept.every((address) =>
    poolOf(allocator.index, address)?.name === requestedPool
  ))
}

/**
 * Moves a holder to what it asks for now; if that cannot be had it keeps what it has, also where another
 * machine has all that is free. MetalLB clears first and leaves it with nothing.
 */
function serveRequest(allocator: Allocator, holder: Holder): Verdict {
  const { service, kept } = holder
  for (const address of kept) release(allocator.ledger, address, service)
  const found = allocate(allocator, service)
  const why = 'reason' in found ? found.message : whyWorse(allocator, service, found)
  if ('reason' in found || why !== undefined) {
    for (const address of kept) take(allocator.ledger, address, service)
    leaveForeign(allocator, holder)
    return keep(allocator, holder, `kept, though ${why}`)
  }
  for (const address of found.addresses) take(allocator.ledger, address, service)
  holder.kept = found.addresses
  const reason = service.requested.length > 0 ? 'otherAddressRequested' : 'otherPoolRequested'
  const gone = kept.filter((address) => !found.addresses.some((one) => sameAddress(one, address)))
  for (const address of gone) {
    holder.dropped.push({ address, reason })
    rewindAll(allocator, address)
  }
  return settle(allocator, holder, found)
}

/** Only an address that is asked for by name may be one that another machine has. */
function whyWorse({ foreign }: Allocator, service: Intent, { pool, addresses }: Found): string | undefined {
  const isWorse = service.requested.length === 0 && addresses.some((one) => foreign.has(addressKey(one)))
  return isWorse ? `other machines have all free addresses of pool "${pool}"` : undefined
}

function keep(allocator: Allocator, holder: Holder, lacking: string | undefined): Verdict {
  return settle(allocator, holder, { addresses: holder.kept, lacking })
}

function settle(
  allocator: Allocator, holder: Holder, result: Pick<Found, 'addresses' | 'lacking'>,
): Verdict {
  const { addresses, lacking } = result
  const [first] = addresses
  const isKept = addresses.every((one) => holder.held.some((held) => sameAddress(held, one)))
  return {
    kind: isKept ? 'kept' : 'assigned',
    service: holder.service.key,
    pool: first === undefined ? '' : poolOf(allocator.index, first)?.name ?? '',
    addresses,
    dropped: holder.dropped,
    lacking,
  }
}

export function serveNewcomer(allocator: Allocator, holder: Holder, input: AllocationInput): Verdict {
  const found: Found | Refused = allocate(allocator, holder.service)
  if ('reason' in found) {
    const { reason, message } = found
    const dropped = reason === 'noPool' ? ownAddresses(holder, input) : holder.dropped
    const service = holder.service.key
    return { kind: 'refused', service, reason, message: withLoss(message, dropped), dropped }
  }
  for (const address of found.addresses) take(allocator.ledger, address, holder.service)
  // A pair of one pool that another machine has a part of: rather of two pools.
  const given = { ...holder, kept: found.addresses, dropped: [] }
  leaveForeign(allocator, given)
  return settle(allocator, holder, { ...found, addresses: given.kept })
}

/** With no pools at all only addresses that we allocated are cleared: others may be a rival's. */
function ownAddresses(holder: Holder, input: AllocationInput): readonly Dropped[] {
  const isOwn = input.ledger?.has(holder.service.key) === true ||
    holder.service.allocatedFromPool !== undefined
  return isOwn ? holder.held.map((address) => ({ address, reason: 'notInPool' as const })) : []
}

function withLoss(message: string, dropped: readonly Dropped[]): string {
  if (dropped.length === 0) return message
  const list = dropped.map(({ address, reason }) => `${formatAddress(address)}: ${reason}`).join(', ')
  return `${message} (lost ${list})`
}
