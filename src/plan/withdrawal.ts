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
  /** The Service as it is now. */
  readonly service: Intent | undefined
  /** `namespace/name` */
  readonly key: string
  /** The address, formatted. */
  readonly ip: string
  readonly held: HeldPlan
  readonly plan: AnnouncementPlan
  readonly node: string
}

/** Tests in MetalLB's order (0.16, speaker), then what the plan says of this node. */
export function planWithdrawal(input: WithdrawalInput): Withdrawal | Silence {
  const { service, key, ip, held, plan, node } = input
  if (service === undefined) return 'serviceDeleted'
  if (!service.isLoadBalancer) return 'notLoadBalancer'
  if (service.held.length === 0) return 'noIPAllocated'
  if (!service.held.some((one) => formatAddress(one) === ip)) return 'loadBalancerIPChanged'
  const unheld = held.unheld.find((one) => one.service === key && one.address === ip)
  if (unheld?.reason === 'heldByOlder') return 'heldByOlder'
  if (unheld !== undefined) return 'ipNotAllowed'
  const isHeld = held.holdings.some((one) => one.service.key === key && one.text === ip)
  if (!isHeld) return 'notLoadBalancer'
  const isPlaced = plan.placed.some((one) => one.text === ip && one.services.includes(key))
  if (isPlaced) return 'notOwner'
  const silent = plan.silent.filter((one) => one.service === key && one.text === ip)
  const own = silent.find((one) => one.node === node) ?? silent[0]
  return own?.reason ?? 'notOwner'
}
