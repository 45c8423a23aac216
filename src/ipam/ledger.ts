/** Who holds which address while a plan is made, and who may share one. */
import type { Intent } from '../config/model.ts'
import type { Address, Family } from '../net/model.ts'
import { addressKey, type PoolIndex, poolOf } from './pools.ts'

/** Why a Service may not use an address that is in use, and who uses it. */
export interface Clash {
  readonly reason: 'addressInUse' | 'sharingKeyMismatch' | 'portInUse'
  readonly holders: readonly string[]
  /** `TCP/80`; set for `portInUse`. */
  readonly port: string | undefined
}

interface Usage {
  readonly address: Address
  readonly services: Map<string, Intent>
  /** Service by `TCP/80`. */
  readonly ports: Map<string, string>
}

/** Mutable, made anew for each plan from what Services hold. */
export interface Ledger {
  readonly byAddress: Map<number | bigint, Usage>
  /** Addresses in use under a sharing key. */
  readonly byKey: Map<string, Map<number | bigint, Address>>
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
  const others = [...usage.services.values()].filter((other) => other.key !== service.key)
  const [first] = others
  if (first === undefined) return undefined
  const holders = others.map((other) => other.key)
  if (service.sharingKey === '' && first.sharingKey === '') {
    return { reason: 'addressInUse', holders, port: undefined }
  }
  const agrees = service.sharingKey !== '' && service.sharingKey === first.sharingKey &&
    service.backendKey === first.backendKey
  if (!agrees) return { reason: 'sharingKeyMismatch', holders, port: undefined }
  for (const port of portKeys(service)) {
    const user = usage.ports.get(port)
    if (user !== undefined && user !== service.key) {
      return { reason: 'portInUse', holders: [user], port }
    }
  }
  return undefined
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
  const shared = ledger.byKey.get(service.sharingKey)
  if (shared === undefined) ledger.byKey.set(service.sharingKey, new Map([[key, address]]))
  else shared.set(key, address)
}

/** Undoes `take` for one service. */
export function release(ledger: Ledger, address: Address, service: Intent): void {
  const key = addressKey(address)
  const usage = ledger.byAddress.get(key)
  if (usage === undefined) return
  usage.services.delete(service.key)
  for (const [port, user] of usage.ports) if (user === service.key) usage.ports.delete(port)
  if (usage.services.size > 0) return
  ledger.byAddress.delete(key)
  addCount(ledger, address, -1)
  ledger.byKey.get(service.sharingKey)?.delete(key)
}

export function isUsed(ledger: Ledger, address: Address): boolean {
  return ledger.byAddress.has(addressKey(address))
}

/** Addresses in use under the service's sharing key. */
export function sharedAddresses(ledger: Ledger, service: Intent): Iterable<Address> {
  if (service.sharingKey === '') return []
  return ledger.byKey.get(service.sharingKey)?.values() ?? []
}
