/** Decides which node announces which address on which interfaces, and why others are silent. */
import type { ClusterNode, Config, Endpoint } from '../config/model.ts'
import type { Address } from '../net/model.ts'
import {
  advertisementsByPool, type Bid, continueDemands, type Demand, type DemandPlan, type Holding,
  planDemand, startDemands,
} from './demand.ts'
import type { Member, Silence } from './model.ts'
import { electOwner, type Placement } from './placement.ts'
import { groupUnits, isSameList, type Unit } from './unit.ts'

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
 * oldest first, and one that no remaining candidate meets is silent. Units that are as they were
 * in the last plan have the same rows.
 */
export function planAnnouncements(
  input: AnnouncementInput, demandPlan: DemandPlan = prepare(input),
): AnnouncementPlan {
  const pieces = planInPieces(input, demandPlan)
  let piece = pieces.next()
  while (piece.done !== true) piece = pieces.next()
  return piece.value
}

/** So many units at a time take a few milliseconds. */
const pieceUnits = 500

/** The same, with a pause after each piece of it: what is due meanwhile may go first. */
export function* planInPieces(
  input: AnnouncementInput, demandPlan: DemandPlan,
): Generator<undefined, AnnouncementPlan> {
  const load = new Map<string, number>()
  const units = groupUnits(input.holdings)
  const owners = units.map((unit) => ownerOf(input, unit))
  const results: Outcome[] = []
  const silent: Silent[] = []
  // Owners that stay count before anybody new is placed.
  for (const isOwned of [true, false]) {
    for (const [order, unit] of units.entries()) {
      const owner = owners[order]
      if ((owner !== undefined) !== isOwned) continue
      const result = placeUnit(input, { unit, owner }, demandPlan, load)
      results[order] = result
      silent.push(...result.silent)
      if ((order + 1) % pieceUnits === 0) yield
    }
  }
  return { placed: results.flatMap(({ placed }) => placed), silent }
}

type DemandSource = Omit<AnnouncementInput, 'holdings'>

/**
 * What may be asked of every holding of the input, with `planDemand`. With `before`, what it knows is
 * kept where all but the endpoints is the same.
 */
export function prepare(input: DemandSource, before?: DemandPlan): DemandPlan {
  const nodes = new Map(input.nodes.map((node) => [node.name, node]))
  const members = new Map(input.members.map((member) => [member.name, member]))
  const isSame = before !== undefined && before.config === input.config &&
    before.everywhere === (input.everywhere ?? false) &&
    before.ignoreExcludeLabel === (input.ignoreExcludeLabel ?? false) &&
    isSameMap(before.nodes, nodes, (a, b) => a === b) && isSameMap(before.members, members, isSameMember)
  if (isSame) return continueDemands(before, input.endpoints)
  return startDemands({
    config: input.config,
    advertisementsByPool: advertisementsByPool(input.config),
    nodes,
    members,
    names: [...new Set([...nodes.keys(), ...members.keys()])].toSorted(),
    endpoints: input.endpoints,
    ignoreExcludeLabel: input.ignoreExcludeLabel ?? false,
    everywhere: input.everywhere ?? false,
  })
}

function isSameMap<T>(
  a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>, isSame: (a: T, b: T) => boolean,
): boolean {
  if (a.size !== b.size) return false
  for (const [key, value] of a) {
    const other = b.get(key)
    if (other === undefined || !isSame(value, other)) return false
  }
  return true
}

function isSameMember(a: Member, b: Member): boolean {
  const isDeaf = (index: number): boolean => b.deaf?.has(index) === true
  const deaf = [...a.deaf ?? []]
  return deaf.length === (b.deaf?.size ?? 0) && deaf.every(isDeaf) && isSameList(a.links, b.links)
}

function ownerOf(input: AnnouncementInput, unit: Unit): string | undefined {
  for (const { text } of unit) {
    const owner = input.owners?.get(text)
    if (owner !== undefined) return owner
  }
  return undefined
}

interface Outcome {
  readonly placed: readonly Placed[]
  readonly silent: readonly Silent[]
}

/** What was decided last for a unit, and from what: it was not a matter of load. */
interface Known extends Outcome {
  readonly demands: readonly Demand[]
  readonly owner: string | undefined
  readonly placement: Placement
}

const decided = new WeakMap<Unit, Known>()

function placeUnit(
  input: AnnouncementInput, { unit, owner }: { readonly unit: Unit; readonly owner: string | undefined },
  demandPlan: DemandPlan, load: Map<string, number>,
): Outcome {
  const demands = unit.map((holding) => planDemand(demandPlan, holding))
  const placement = input.placement ?? 'sticky'
  const known = decided.get(unit)
  const isKnown = known !== undefined && known.owner === owner && known.placement === placement &&
    isSameList(known.demands, demands)
  const outcome = isKnown ? known : decide(demands, { placement, owner, load })
  if (!isKnown && (placement === 'hash' || outcome.placed[0]?.node === owner)) {
    decided.set(unit, { ...outcome, demands, owner, placement })
  }
  const node = outcome.placed[0]?.node
  if (node !== undefined) load.set(node, (load.get(node) ?? 0) + outcome.placed.length)
  return outcome
}

function decide(
  unit: readonly Demand[],
  given: { placement: Placement; owner: string | undefined; load: ReadonlyMap<string, number> },
): Outcome {
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
  const owner = electOwner({ ...given, candidates, text: unit[0]?.holding.text ?? '' })
  const placed = owner === undefined ? [] : placeOn(owner, met)
  const voiced = new Set(placed.flatMap(({ text, services }) =>
    services.map((service) => `${text} ${service}`)
  ))
  const isAnnounced = ({ holding }: Demand): boolean =>
    voiced.has(`${holding.text} ${holding.service.key}`)
  return { placed, silent: unit.filter((demand) => !isAnnounced(demand)).flatMap(reasonsOf) }
}

/** One row per address; interfaces are the union over the Services that share it. */
function placeOn(node: string, demands: readonly Demand[]): Placed[] {
  const rows = new Map<string, Placed>()
  const services = new Map<string, string[]>()
  for (const { holding, bids } of demands) {
    const bid = bids.find((candidate) => candidate.node === node)
    if (bid === undefined) continue
    const before = rows.get(holding.text)
    const sharers = services.get(holding.text) ?? []
    sharers.push(holding.service.key)
    services.set(holding.text, sharers)
    rows.set(holding.text, {
      address: holding.address,
      text: holding.text,
      node,
      interfaces: union(before?.interfaces, bid.interfaces),
      services: sharers,
      prefixed: (before?.prefixed ?? false) || bid.prefixed,
    })
  }
  for (const sharers of services.values()) sharers.sort()
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
