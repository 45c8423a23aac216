/** Joins allocation and announcement: from one world to one verdict per Service and its voices. */
import type { ClusterNode, Intent, World } from '../config/model.ts'
import type { Verdict } from '../ipam/model.ts'
import { compareAge, planAllocation } from '../ipam/plan.ts'
import { createPoolIndex, poolOf } from '../ipam/pools.ts'
import type { Holding } from '../l2/demand.ts'
import type { Member } from '../l2/model.ts'
import type { Placement } from '../l2/placement.ts'
import { type AnnouncementPlan, planAnnouncements } from '../l2/plan.ts'
import { formatAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'

export interface DecisionInput {
  readonly world: World
  /** Addresses held by each Service, beyond what its status says. */
  readonly ledger?: ReadonlyMap<string, readonly Address[]>
  /** Live speakers; `plan` takes every Node document as one. */
  readonly members: readonly Member[]
  /** Present owner by formatted address. */
  readonly owners?: ReadonlyMap<string, string>
  readonly loadBalancerClass: string
  readonly placement: Placement
  readonly announceEverywhere: boolean
  readonly ignoreExcludeLabel: boolean
}

export interface Decision {
  /** Sorted by Service key. */
  readonly verdicts: readonly Verdict[]
  readonly announcements: AnnouncementPlan
}

/** Plans the whole world at once; pure, so that a dry run and the real thing cannot differ. */
export function decide(input: DecisionInput): Decision {
  const { world } = input
  const verdicts = planAllocation({
    config: world.config,
    services: world.services,
    loadBalancerClass: input.loadBalancerClass,
    ...(input.ledger === undefined ? {} : { ledger: input.ledger }),
  })
  const announcements = planAnnouncements({
    config: world.config,
    nodes: world.nodes,
    members: input.members,
    endpoints: world.endpoints,
    holdings: holdingsOf(world, verdicts),
    placement: input.placement,
    everywhere: input.announceEverywhere,
    ignoreExcludeLabel: input.ignoreExcludeLabel,
    ...(input.owners === undefined ? {} : { owners: input.owners }),
  })
  return { verdicts, announcements }
}

/** Every Node document as a live member with every interface up (what `plan` assumes). */
export function membersOf(nodes: readonly ClusterNode[]): readonly Member[] {
  return nodes.map((node) => ({ name: node.name, links: undefined }))
}

/** Held addresses, oldest Service first; equal ages in document order. */
export function holdingsOf(world: World, verdicts: readonly Verdict[]): readonly Holding[] {
  const index = createPoolIndex(world.config.pools)
  const byKey = new Map(world.services.map((service) => [service.key, service]))
  const rows: { service: Intent; addresses: readonly Address[]; pool: string }[] = []
  for (const verdict of verdicts) {
    if (verdict.kind !== 'assigned' && verdict.kind !== 'kept') continue
    const service = byKey.get(verdict.service)
    if (service === undefined) continue
    rows.push({ service, addresses: verdict.addresses, pool: verdict.pool })
  }
  return rows
    .toSorted((a, b) => compareAge(a.service, b.service))
    .flatMap(({ service, addresses, pool }) =>
      addresses.map((address) => ({
        service,
        address,
        text: formatAddress(address),
        // Another than the verdict's where an edit has split a pair.
        pool: poolOf(index, address)?.name ?? pool,
      }))
    )
}
