/** Who holds which address while a plan is made, and who may share one. */
import type { Intent } from '../config/model.ts'
import type { Address, Family } from '../net/model.ts'
import { addressKey, type PoolIndex, poolOf } from './pools.ts'

/** Why a Service may not use an address that is in use, and who uses it. */
export interface Clash {
  readonly reason: 'addressInUse' | 'sharingKeyMismatch' | 'portInUse'
  /** Some of those in the way: a sentence names no more. */
  readonly holders: readonly string[]
  /** How many more there are. */
  readonly unnamed: number
  /** `TCP/80`; set for `portInUse`. */
  readonly port: string | undefined
}

interface Usage {
  readonly address: Address
  readonly services: Map<string, Intent>
  /** Service by `TCP/80`. */
  readonly ports: Map<string, string>
}

/** The addresses in use under one sharing key. */
export interface Sharing {
  /** Grows only; an address that is free by now may stand in it, and one may stand twice. */
  readonly log: Address[]
  readonly current: Set<number | bigint>
  /** Counts what may have made room on an address that had none. */
  releases: number
}

/** Mutable, made anew for each plan from what Services hold. */
export interface Ledger {
  readonly byAddress: Map<number | bigint, Usage>
  readonly byKey: Map<string, Sharing>
  readonly index: PoolIndex
  /** Distinct addresses in use, by family and pool. */
  readonly counts: Map<string, number>
}

export function createLedger(index: PoolIndex): Ledger {
  return { byAddress: new Map(), byKey: new Map(), index, counts: new Map() }
}

/** Distinct addresses of the family in use in the pool. */
export function countUsed(ledger: Ledger, pool: string, family: Family): number {
  return ledger.counts.get(`${family} ${pool}`) ?? 0
}

function addCount(ledger: Ledger, address: Address, change: 1 | -1): void {
  const key = `${address.family} ${poolOf(ledger.index, address)?.name ?? ''}`
  ledger.counts.set(key, (ledger.counts.get(key) ?? 0) + change)
}

/**
 * Whether the service may use the address beside those who do. All sharers must have the same
 * non-empty sharing key and the same backends, and no protocol and port in common.
 * @see MetalLB 0.16: namespaces are not part of the key; the only user may change its key
 */
export function findClash(ledger: Ledger, address: Address, service: Intent): Clash | undefined {
  const usage = ledger.byAddress.get(addressKey(address))
  if (usage === undefined) return undefined
  const first = firstOther(usage, service)
  if (first === undefined) return undefined
  const agrees = service.sharingKey !== '' && service.sharingKey === first.sharingKey &&
    service.backendKey === first.backendKey
  if (!agrees) {
    const isShared = service.sharingKey !== '' || first.sharingKey !== ''
    const reason = isShared ? 'sharingKeyMismatch' : 'addressInUse'
    return { reason, ...nameHolders(usage, service), port: undefined }
  }
  for (const port of portKeys(service)) {
    const user = usage.ports.get(port)
    if (user !== undefined && user !== service.key) {
      return { reason: 'portInUse', holders: [user], unnamed: 0, port }
    }
  }
  return undefined
}

/** Holders that one sentence names. */
const maxNamed = 5

/** Thousands may share one address: this is asked for each of them, so it looks at few. */
function firstOther({ services }: Usage, service: Intent): Intent | undefined {
  for (const other of services.values()) if (other.key !== service.key) return other
  return undefined
}

function nameHolders(
  { services }: Usage, service: Intent,
): { holders: readonly string[]; unnamed: number } {
  const holders: string[] = []
  for (const key of services.keys()) {
    if (holders.length === maxNamed) break
    if (key !== service.key) holders.push(key)
  }
  const others = services.size - (services.has(service.key) ? 1 : 0)
  return { holders, unnamed: others - holders.length }
}

/** `TCP/80` for each port, as MetalLB writes them. */
function portKeys(service: Intent): readonly string[] {
  return service.ports.map(({ protocol, port }) => `${protocol}/${port}`)
}

/** Records that the service uses the address; the caller has seen that nothing clashes. */
export function take(ledger: Ledger, address: Address, service: Intent): void {
  const key = addressKey(address)
  let usage = ledger.byAddress.get(key)
  if (usage === undefined) {
    usage = { address, services: new Map(), ports: new Map() }
    ledger.byAddress.set(key, usage)
    addCount(ledger, address, 1)
  }
  usage.services.set(service.key, service)
  for (const port of portKeys(service)) usage.ports.set(port, service.key)
  if (service.sharingKey === '') return
  const sharing = ledger.byKey.get(service.sharingKey) ??
    { log: [], current: new Set(), releases: 0 }
  ledger.byKey.set(service.sharingKey, sharing)
  if (sharing.current.has(key)) return
  sharing.current.add(key)
  sharing.log.push(address)
}

/** Undoes `take` for one service. */
export function release(ledger: Ledger, address: Address, service: Intent): void {
  const key = addressKey(address)
  const usage = ledger.byAddress.get(key)
  if (usage === undefined) return
  usage.services.delete(service.key)
  for (const port of portKeys(service)) {
    if (usage.ports.get(port) === service.key) usage.ports.delete(port)
  }
  const sharing = ledger.byKey.get(service.sharingKey)
  if (sharing !== undefined) sharing.releases++
  if (usage.services.size > 0) return
  ledger.byAddress.delete(key)
  addCount(ledger, address, -1)
  sharing?.current.delete(key)
}

export function isUsed(ledger: Ledger, address: Address): boolean {
  return ledger.byAddress.has(addressKey(address))
}
