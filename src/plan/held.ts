/** What a speaker takes from Services: the addresses in their status, and nothing that is only planned. */
import type { Config, Intent } from '../config/model.ts'
import { createLedger, findClash, take } from '../ipam/ledger.ts'
import { compareAge, isOurs } from '../ipam/plan.ts'
import { addressKey, createPoolIndex, type PoolIndex, poolOf } from '../ipam/pools.ts'
import type { Holding } from '../l2/demand.ts'
import { spliced } from '../l2/span.ts'
import { isSameList } from '../l2/unit.ts'
import { formatAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'

/** Why a speaker does not look at an address of a Service any further. */
export type Unheld =
  | 'notInPool' // no pool contains it
  | 'heldByOlder' // an older Service holds it and does not share it

export interface UnheldRow {
  readonly service: string
  readonly address: string
  readonly reason: Unheld
}

export interface HeldPlan {
  /** Oldest Service first. */
  readonly holdings: readonly Holding[]
  readonly unheld: readonly UnheldRow[]
  readonly index: HeldIndex
}

/** What the next plan is made from: it goes on from one to the next. */
export interface HeldIndex {
  readonly pools: PoolIndex
  readonly loadBalancerClass: string
  /** Those of ours that hold anything, and what came of each. */
  readonly services: Map<string, Intent>
  readonly rows: Map<string, Rows>
  /** Who holds an address of a pool, oldest first. */
  readonly users: Map<number | bigint, readonly Intent[]>
}

interface Rows {
  readonly holdings: readonly Holding[]
  readonly unheld: readonly UnheldRow[]
}

/** More Services than this at once are put in order as a whole. */
const maxSpliced = 32

/** What was made of a Service last: the same holding of it is the same value, by which others know it. */
const made = new WeakMap<Intent, readonly Holding[]>()

function holdingOf(service: Intent, address: Address, index: PoolIndex): Holding | undefined {
  const pool = poolOf(index, address)?.name
  const before = made.get(service)?.find((holding) => holding.address === address)
  if (pool === undefined || before?.pool === pool) return pool === undefined ? undefined : before
  const holding = { service, address, text: formatAddress(address), pool }
  made.set(service, [...made.get(service)?.filter((other) => other.address !== address) ?? [], holding])
  return holding
}

/**
 * Addresses to be announced by somebody. The status is trusted: who may take which address is the
 * controller's decision, already made (`serviceAllocation`, `avoidBuggyIPs` are not looked at, as
 * in MetalLB). Of two Services that hold one address without sharing it, the older has it; of two of one
 * age the first in order, then by name.
 */
export function planHeld(
  config: Config, services: readonly Intent[], loadBalancerClass: string,
): HeldPlan {
  const index = {
    pools: createPoolIndex(config.pools), loadBalancerClass, services: new Map(), rows: new Map(),
    users: new Map(),
  }
  const all = new Map(services.map((service) => [service.key, service]))
  return replanHeld({ holdings: [], unheld: [], index }, all)
}

/**
 * The plan after these Services have changed; undefined = it has gone. `before` is used up. Only they and
 * those that hold the same addresses are looked at; where nothing comes of it, it is the same plan.
 */
export function replanHeld(
  before: HeldPlan, changes: ReadonlyMap<string, Intent | undefined>,
): HeldPlan {
  const { index } = before
  const touched = new Map<number | bigint, Address>()
  /** What each was, also of those that only hold the same address. */
  const affected = new Map<string, Intent | undefined>()
  for (const [key, service] of changes) {
    const was = index.services.get(key)
    const now = service !== undefined && isHolder(index, service) ? service : undefined
    if (was === now) continue
    affected.set(key, was)
    replace(index, was, now, touched)
  }
  for (const key of touched.keys()) {
    for (const user of index.users.get(key) ?? []) {
      if (!affected.has(user.key)) affected.set(user.key, user)
    }
  }
  if (affected.size === 0) return before
  const takers = new Map([...affected.keys()].flatMap((key) => index.services.get(key)?.held ?? [])
    .map((address) => [addressKey(address), takersOf(index, address)]))
  let { holdings, unheld } = before
  const isMany = affected.size > maxSpliced
  for (const [key, was] of affected) {
    const now = index.services.get(key)
    const old = index.rows.get(key)
    const rows = now === undefined ? undefined : rowsOf(index, now, takers)
    if (rows === undefined) index.rows.delete(key)
    else index.rows.set(key, rows)
    if (!isMany) holdings = splice(holdings, { was, old, now, rows })
    if ((old?.unheld.length ?? 0) + (rows?.unheld.length ?? 0) > 0) unheld = []
  }
  if (isMany) holdings = inOrder(index).flatMap((rows) => rows.holdings)
  if (unheld !== before.unheld) unheld = inOrder(index).flatMap((rows) => rows.unheld)
  return { holdings, unheld, index }
}

function isHolder({ loadBalancerClass }: HeldIndex, service: Intent): boolean {
  return service.held.length > 0 && isOurs(service, loadBalancerClass)
}

function compareServices(a: Intent, b: Intent): number {
  return compareAge(a, b) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
}

function inOrder({ services, rows }: HeldIndex): readonly Rows[] {
  return [...services.values()].toSorted(compareServices).flatMap(({ key }) => rows.get(key) ?? [])
}

/** Puts `now` in the place of `was`; addresses of either are in `touched` afterwards. */
function replace(
  { services, users, pools }: HeldIndex, was: Intent | undefined, now: Intent | undefined,
  touched: Map<number | bigint, Address>,
): void {
  for (const address of was?.held ?? []) {
    const key = addressKey(address)
    touched.set(key, address)
    const left = users.get(key)?.filter((user) => user !== was) ?? []
    if (left.length === 0) users.delete(key)
    else users.set(key, left)
  }
  if (was !== undefined) services.delete(was.key)
  if (now === undefined) return
  services.set(now.key, now)
  for (const address of now.held) {
    const key = addressKey(address)
    touched.set(key, address)
    // What is in no pool is nobody's: all Services of a cluster may have one that somebody else wrote.
    if (poolOf(pools, address) === undefined) continue
    const others = users.get(key)
    if (others === undefined) users.set(key, [now])
    else if (!others.includes(now)) users.set(key, [...others, now].toSorted(compareServices))
  }
}

/** Of those that hold the address, whom it is left to. */
function takersOf({ users, pools }: HeldIndex, address: Address): ReadonlySet<Intent> {
  const all = users.get(addressKey(address)) ?? []
  if (all.length < 2) return new Set(all)
  const ledger = createLedger(pools)
  const takers = new Set<Intent>()
  for (const service of all) {
    if (findClash(ledger, address, service) !== undefined) continue
    take(ledger, address, service)
    takers.add(service)
  }
  return takers
}

function rowsOf(
  { pools }: HeldIndex, service: Intent, takers: ReadonlyMap<number | bigint, ReadonlySet<Intent>>,
): Rows {
  const holdings: Holding[] = []
  const unheld: UnheldRow[] = []
  for (const address of service.held) {
    const holding = holdingOf(service, address, pools)
    const isTaker = takers.get(addressKey(address))?.has(service) === true
    if (holding !== undefined && isTaker) holdings.push(holding)
    else {
      const reason = holding === undefined ? 'notInPool' : 'heldByOlder'
      unheld.push({ service: service.key, address: formatAddress(address), reason })
    }
  }
  return { holdings, unheld }
}

/** The list with other rows of one Service, where these are others. */
function splice(
  list: readonly Holding[],
  { was, old, now, rows }: {
    readonly was: Intent | undefined; readonly old: Rows | undefined
    readonly now: Intent | undefined; readonly rows: Rows | undefined
  },
): readonly Holding[] {
  const [before, after] = [old?.holdings ?? [], rows?.holdings ?? []]
  if (isSameList(before, after)) return list
  const left = was === undefined || before.length === 0
    ? list
    : spliced(list, placeOf(list, was), before.length, [])
  return now === undefined || after.length === 0 ? left : spliced(left, placeOf(left, now), 0, after)
}

/** Where the Service's holdings begin, or would. O(log n). */
function placeOf(list: readonly Holding[], service: Intent): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const at = list[middle]?.service
    if (at !== undefined && compareServices(at, service) < 0) low = middle + 1
    else high = middle
  }
  return low
}
