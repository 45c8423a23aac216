/** What a speaker takes from Services: the addresses in their status, and nothing that is only planned. */
import type { Config, Intent } from '../config/model.ts'
import { createLedger, findClash, take } from '../ipam/ledger.ts'
import { compareAge } from '../ipam/plan.ts'
import { createPoolIndex, poolOf } from '../ipam/pools.ts'
import type { Holding } from '../l2/demand.ts'
import { formatAddress } from '../net/address.ts'

/** Why a speaker does not look at an address of a Service any further. */
export type Unheld =
  | 'notInPool' // no pool contains it
  | 'heldByOlder' // an older Service holds it and does not share it

export interface HeldPlan {
  /** Oldest Service first. */
  readonly holdings: readonly Holding[]
  readonly unheld: readonly { readonly service: string; readonly address: string; readonly reason: Unheld }[]
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
      const text = formatAddress(address)
      const pool = poolOf(index, address)
      const reason = pool === undefined
        ? 'notInPool'
        : findClash(ledger, address, service) === undefined ? undefined : 'heldByOlder'
      if (pool === undefined || reason !== undefined) {
        unheld.push({ service: service.key, address: text, reason: reason ?? 'notInPool' })
        continue
      }
      take(ledger, address, service)
      holdings.push({ service, address, text, pool: pool.name })
    }
  }
  return { holdings, unheld }
}
