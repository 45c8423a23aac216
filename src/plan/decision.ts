/** Joins allocation and announcement: from one world to one verdict per Service and its voices. */
import type { ClusterNode, Intent, World } from '../config/model.ts'
import type { Foreign } from '../ipam/foreign.ts'
import type { Verdict } from '../ipam/model.ts'
import { compareAge, type KnownHeld } from '../ipam/plan.ts'
import { createPoolIndex, poolOf } from '../ipam/pools.ts'
import { type Plan, replan } from '../ipam/replan.ts'
import type { DemandPlan, Holding } from '../l2/demand.ts'
import type { Member } from '../l2/model.ts'
import type { Placement } from '../l2/placement.ts'
import { type AnnouncementPlan, planAnnouncements, prepare } from '../l2/plan.ts'
import { formatAddress, sameAddress } from '../net/address.ts'
import type { Address } from '../net/model.ts'

export interface DecisionInput {
  readonly world: World
  /** Addresses held by each Service, beyond what its status says. */
  readonly ledger?: KnownHeld
  /** Addresses that other machines have. */
  readonly foreign?: Foreign
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
  const { verdicts } = decideAddresses(input)
  return { verdicts, announcements: decideVoices(input, verdicts).announcements }
}

type AddressInput = Pick<DecisionInput, 'world' | 'ledger' | 'foreign' | 'loadBalancerClass'>

/** The first half: who gets which address. With what the last one left, which is spent by this. */
export function decideAddresses(
  { world, ledger, foreign, loadBalancerClass }: AddressInput,
  before?: Plan,
): Plan {
  return replan({
    config: world.config,
    services: world.services,
    loadBalancerClass,
    ...(ledger === undefined ? {} : { ledger }), ...(foreign === undefined ? {} : { foreign }),
  }, before)
}

/** Who announces, and what the next plan of it may be made from. */
export interface Voices {
  readonly announcements: AnnouncementPlan
  readonly demand: DemandPlan
}

/** The second half. With what the last one left, what has not changed is not judged again. */
export function decideVoices(
  input: Omit<DecisionInput, 'ledger' | 'foreign' | 'loadBalancerClass'>, verdicts: readonly Verdict[],
  before?: Voices,
): Voices {
  const { world, members, placement, owners, ignoreExcludeLabel, announceEverywhere: everywhere } = input
  const { config, nodes, endpoints } = world
  const demand = prepare(
    { config, nodes, members, endpoints, everywhere, ignoreExcludeLabel }, before?.demand,
  )
  const announcements = planAnnouncements({
    config, nodes, members, endpoints, placement, everywhere, ignoreExcludeLabel,
    holdings: holdingsOf(world, verdicts),
    ...(owners === undefined ? {} : { owners }),
  }, demand)
  return { announcements, demand }
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
      addresses.map((address) =>
        // Another pool than the verdict's where an edit has split a pair.
        holdingOf(service, address, poolOf(index, address)?.name ?? pool))
    )
}

/** What was made of a Service last: the same holding of it is the same value, by which plans know it. */
const made = new WeakMap<Intent, readonly Holding[]>()

function holdingOf(service: Intent, address: Address, pool: string): Holding {
  const known = made.get(service) ?? []
  const before = known.find((holding) => sameAddress(holding.address, address))
  if (before?.pool === pool) return before
  const holding = { service, address, text: formatAddress(address), pool }
  made.set(service, [...known.filter((other) => other !== before), holding])
  return holding
}
