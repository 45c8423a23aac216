/** What a speaker takes from Services: the addresses in their status, and nothing that is only planned. */
import type { Config, Intent } from '../config/model.ts'
import { createLedger, findClash, take } from '../ipam/ledger.ts'
import { compareAge } from '../ipam/plan.ts'
import { createPoolIndex, type PoolIndex, poolOf } from '../ipam/pools.ts'
import type { Holding } from '../l2/demand.ts'
import { formatAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'

/** Why a speaker does not look at an address of a Service any further. */
export type Unheld =
  | 'notInPool' // no pool contains it
  | 'heldByOlder' // an older Service holds it and does not share it

export interface HeldPlan {
  /** Oldest Service first. */
  readonly holdings: readonly Holding[]
  readonly unheld: readonly { readonly service: string; readonly address: string; readonly reason: Unheld }[]
}

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
 * in MetalLB). Of two Services that hold one address without sharing it, the older has it.
 */
export function planHeld(
  config: Config, services: readonly Intent[], loadBalancerClass: string,
): HeldPlan {
  const index = createPoolIndex(config.pools)
  const ledger = createLedger(index)
  const holdings: Holding[] = []
  const unheld: { service: string; address: string; reason: Unheld }[] = []
  const ours = services.filter((service) =>
    service.isLoadBalancer && (service.loadBalancerClass ?? '') === loadBalancerClass
  )
  for (const service of ours.toSorted(compareAge)) {
    for (const address of service.held) {
      const holding = holdingOf(service, address, index)
      const isClash = holding !== undefined && findClash(ledger, address, service) !== undefined
      if (holding === undefined || isClash) {
        const reason = holding === undefined ? 'notInPool' : 'heldByOlder'
        unheld.push({ service: service.key, address: formatAddress(address), reason })
        continue
      }
      take(ledger, address, service)
      holdings.push(holding)
    }
  }
  return { holdings, unheld }
}
