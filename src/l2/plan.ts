/** Decides which node announces which address on which interfaces, and why others are silent. */
import type { ClusterNode, Config, Endpoint } from '../config/model.ts'
import type { Address } from '../net/model.ts'
import {
  advertisementsByPool, type Bid, type Demand, type DemandInput, type Holding, planDemand,
} from './demand.ts'
import type { Member, Silence } from './model.ts'
import { electOwner, type Placement } from './placement.ts'

export interface AnnouncementInput {
  readonly config: Config
  readonly nodes: readonly ClusterNode[]
  readonly members: readonly Member[]
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]> | undefined
  /** Every address that a Service of ours holds, oldest Service first. */
  readonly holdings: readonly Holding[]
  /** Present owner by formatted address. */
  readonly owners?: ReadonlyMap<string, string>
  readonly placement?: Placement
  readonly ignoreExcludeLabel?: boolean
  readonly everywhere?: boolean
}

/** One address and the node that shall answer for it. */
export interface Placed {
  readonly address: Address
  readonly text: string
  readonly node: string
  readonly interfaces: 'all' | readonly string[]
  /** `namespace/name`, sorted: the Services that are announced on it. */
  readonly services: readonly string[]
  /** False: no interface has a connected prefix for the address; announced all the same. */
  readonly prefixed: boolean
}

/** A Service's address that is not announced for it, and one reason; node undefined = all nodes. */
export interface Silent {
  readonly address: Address
  readonly text: string
  readonly service: string
  readonly node: string | undefined
  readonly reason: Silence
}

export interface AnnouncementPlan {
  /** In order of the oldest Service that holds each address. */
  readonly placed: readonly Placed[]
  readonly silent: readonly Silent[]
}

/**
 * One owner per unit (the addresses that Services connect). A unit's owner must be able to
 * announce every address that anybody can announce, as far as one node can: demands are met
 * oldest first, and one that no remaining candidate meets is silent.
 */
export function planAnnouncements(input: AnnouncementInput): AnnouncementPlan {
  const demandInput = prepare(input)
  const load = new Map<string, number>()
  const placed: Placed[] = []
  const silent: Silent[] = []
  const units = groupUnits(input.holdings).map((unit) =>
    unit.map((holding) => planDemand(demandInput, holding))
  )
  // Owners that stay count before anybody new is placed.
  const owned = units.filter((unit) => ownerOf(input, unit) !== undefined)
  const orphaned = units.filter((unit) => ownerOf(input, unit) === undefined)
  const byFirst = new Map(units.map((unit, order) => [unit, order]))
  const results: { order: number; placed: Placed[] }[] = []
  for (const unit of [...owned, ...orphaned]) {
    const result = placeUnit(input, unit, load)
    results.push({ order: byFirst.get(unit) ?? 0, placed: result.placed })
    silent.push(...result.silent)
  }
  for (const { placed: rows } of results.toSorted((a, b) => a.order - b.order)) placed.push(...rows)
  return { placed, silent }
}

function prepare(input: AnnouncementInput): DemandInput {
  const nodes = new Map(input.nodes.map((node) => [node.name, node]))
  const members = new Map(input.members.map((member) => [member.name, member]))
  return {
    config: input.config,
    advertisementsByPool: advertisementsByPool(input.config),
    nodes,
    members,
    names: [...new Set([...nodes.keys(), ...members.keys()])].toSorted(),
    endpoints: input.endpoints,
    ignoreExcludeLabel: input.ignoreExcludeLabel ?? false,
    everywhere: input.everywhere ?? false,
  }
}

/** Holdings that share a Service or an address belong to one unit; order of input is kept. */
export function groupUnits(holdings: readonly Holding[]): readonly (readonly Holding[])[] {
  const parent = new Map<string, string>()
  const find = (key: string): string => {
    let root = key
    for (let up = parent.get(root); up !== undefined && up !== root; up = parent.get(root)) root = up
    for (let at = key; at !== root;) {
      const up = parent.get(at) ?? root
      parent.set(at, root)
      at = up
    }
    return root
  }
  for (const { service, text } of holdings) {
    const a = find(`s ${service.key}`)
    const b = find(`a ${text}`)
    parent.set(a, a)
    parent.set(b, a)
  }
  const units = new Map<string, Holding[]>()
  for (const holding of holdings) {
    const root = find(`s ${holding.service.key}`)
    const unit = units.get(root)
    if (unit === undefined) units.set(root, [holding])
    else unit.push(holding)
  }
  return [...units.values()]
}

function ownerOf(input: AnnouncementInput, unit: readonly Demand[]): string | undefined {
  for (const { holding } of unit) {
    const owner = input.owners?.get(holding.text)
    if (owner !== undefined) return owner
  }
  return undefined
}

function placeUnit(
  input: AnnouncementInput, unit: readonly Demand[], load: Map<string, number>,
): { placed: Placed[]; silent: Silent[] } {
  const met: Demand[] = []
  let candidates: readonly Bid[] = []
  for (const demand of unit) {
    if (demand.bids.length === 0) continue
    const able = new Set(demand.bids.map((bid) => bid.node))
    const left = met.length === 0 ? demand.bids : candidates.filter((bid) => able.has(bid.node))
    if (left.length === 0) continue
    met.push(demand)
    candidates = left
  }
  const owner = electOwner({
    placement: input.placement ?? 'sticky',
    candidates,
    text: unit[0]?.holding.text ?? '',
    owner: ownerOf(input, unit),
    load,
  })
  const placed = owner === undefined ? [] : placeOn(owner, met)
  if (owner !== undefined) load.set(owner, (load.get(owner) ?? 0) + placed.length)
  const isAnnounced = ({ holding }: Demand): boolean => placed.some((row) =>
    row.text === holding.text && row.services.includes(holding.service.key)
  )
  const silent = unit.filter((demand) => !isAnnounced(demand)).flatMap(reasonsOf)
  return { placed, silent }
}

/** One row per address; interfaces are the union over the Services that share it. */
function placeOn(node: string, demands: readonly Demand[]): Placed[] {
  const rows = new Map<string, Placed>()
  for (const { holding, bids } of demands) {
    const bid = bids.find((candidate) => candidate.node === node)
    if (bid === undefined) continue
    const before = rows.get(holding.text)
    rows.set(holding.text, {
      address: holding.address,
      text: holding.text,
      node,
      interfaces: union(before?.interfaces, bid.interfaces),
      services: [...(before?.services ?? []), holding.service.key].toSorted(),
      prefixed: (before?.prefixed ?? false) || bid.prefixed,
    })
  }
  return [...rows.values()]
}

function union(
  a: Placed['interfaces'] | undefined, b: Placed['interfaces'],
): Placed['interfaces'] {
  if (a === undefined) return b
  if (a === 'all' || b === 'all') return 'all'
  return [...new Set([...a, ...b])].toSorted()
}

/** A demand that bids but was not met: no node can announce it together with its unit. */
function reasonsOf(demand: Demand): Silent[] {
  const { holding } = demand
  const elsewhere = demand.bids.map((bid) => ({ node: bid.node, reason: 'unitElsewhere' as const }))
  const reasons = [...demand.silent, ...elsewhere]
  return reasons.map(({ node, reason }) => ({
    address: holding.address,
    text: holding.text,
    service: holding.service.key,
    node,
    reason,
  }))
}
