/** Says why a node stops announcing an address for a Service, in MetalLB's words where it has one. */
import type { Intent } from '../config/model.ts'
import type { Silence } from '../l2/model.ts'
import type { AnnouncementPlan } from '../l2/plan.ts'
import { formatAddress } from '../net/address.ts'
import type { HeldPlan } from './held.ts'

/** Beside the reasons of silence; all but the last are MetalLB's. */
export type Withdrawal =
  | 'serviceDeleted'
  | 'notLoadBalancer' // its type or its class changed
  | 'noIPAllocated' // its status is empty
  | 'loadBalancerIPChanged' // its status names other addresses
  | 'ipNotAllowed' // no pool contains the address any more
  | 'notOwner' // another node announces it
  | 'heldByOlder' // an older Service holds the address

export interface WithdrawalInput {
  /** The Service as it is now, by `namespace/name`. */
  readonly serviceOf: (key: string) => Intent | undefined
  readonly held: HeldPlan
  readonly plan: AnnouncementPlan
  readonly node: string
}

/** Says why `node` stops announcing an address (formatted) for a Service (`namespace/name`). */
export type WithdrawalOf = (key: string, ip: string) => Withdrawal | Silence

/**
 * Tests in MetalLB's order (0.16, speaker), then what the plan says of this node. Indexed once, since
 * a pool that goes takes thousands with it.
 */
export function planWithdrawals({ serviceOf, held, plan, node }: WithdrawalInput): WithdrawalOf {
  const unheld = new Map(held.unheld.map((one) => [`${one.service} ${one.address}`, one.reason]))
  const holdings = new Set(held.holdings.map((one) => `${one.service.key} ${one.text}`))
  const placed = new Set(plan.placed.flatMap(({ text, services }) => services.map((key) => `${key} ${text}`)))
  const silent = new Map<string, Silence>()
  for (const row of plan.silent) {
    const key = `${row.service} ${row.text}`
    if (row.node === node || !silent.has(key)) silent.set(key, row.reason)
  }
  return (key, ip) => {
    const service = serviceOf(key)
    if (service === undefined) return 'serviceDeleted'
    if (!service.isLoadBalancer) return 'notLoadBalancer'
    if (service.held.length === 0) return 'noIPAllocated'
    if (!service.held.some((one) => formatAddress(one) === ip)) return 'loadBalancerIPChanged'
    const pair = `${key} ${ip}`
    const why = unheld.get(pair)
    if (why !== undefined) return why === 'heldByOlder' ? why : 'ipNotAllowed'
    if (!holdings.has(pair)) return 'notLoadBalancer'
    return placed.has(pair) ? 'notOwner' : silent.get(pair) ?? 'notOwner'
  }
}
