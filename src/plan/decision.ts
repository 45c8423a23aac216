/** Joins allocation and announcement: from one world to one verdict per Service and its voices. */
import type { ClusterNode, Config, Intent, World } from '../config/model.ts'
import type { Verdict } from '../ipam/model.ts'
import { planAllocation } from '../ipam/plan.ts'
import type { Holding } from '../l2/demand.ts'
import type { Member } from '../l2/model.ts'
import type { Placement } from '../l2/placement.ts'
import { type AnnouncementPlan, planAnnouncements } from '../l2/plan.ts'
import { formatAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'
import { rangeContains } from '../net/range.ts'

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
function holdingsOf(world: World, verdicts: readonly Verdict[]): readonly Holding[] {
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
        pool: poolOf(world.config, pool, address),
      }))
    )
}

function compareAge(a: Intent, b: Intent): number {
  const ages = (a.createdAtMs ?? Number.MAX_VALUE) - (b.createdAtMs ?? Number.MAX_VALUE)
  return ages || a.order - b.order
}

/** The pool that contains the address: `likely` nearly always, another after pools were split. */
function poolOf(config: Config, likely: string, address: Address): string {
  const contains = (name: string): boolean => {
    const pool = config.pools.find((one) => one.name === name)
    return pool?.ranges.some((range) => rangeContains(range, address)) ?? false
  }
  if (contains(likely)) return likely
  const other = config.pools.find((pool) => pool.ranges.some((r) => rangeContains(r, address)))
  return other?.name ?? likely
}
