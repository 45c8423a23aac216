/** Makes the wishes of a world from what Services hold and advertisements select. */
import {
  type Bid, type Demand, type DemandPlan, type Holding, planDemand, startDemands,
} from '../l2/demand.ts'
import { groupUnits } from '../l2/plan.ts'
import type { Nominee, UnitAddress, Wish } from './model.ts'

export interface WishInput {
  /** Members and nodes as everybody sees them: the input of the static plan. */
  readonly demand: DemandPlan
  /** Every address that a Service of ours holds, oldest Service first. */
  readonly holdings: readonly Holding[]
  /** Last known owner by address text: ServiceL2Status, or the state directory. */
  readonly hints: ReadonlyMap<string, string>
  /**
   * Some member speaks no beats, or did lately: nominees without the prefix rule are made too,
   * since MetalLB knows no such rule.
   */
  readonly isMixed: boolean
}

/** One wish a unit, in order of the oldest Service; units that nobody may announce are included. */
export function wishesOf(input: WishInput): readonly Wish[] {
  const wideDemand = input.isMixed ? startDemands({ ...input.demand, everywhere: true }) : undefined
  return groupUnits(input.holdings).flatMap((unit) => {
    const key = unit[0]?.text
    if (key === undefined) return []
    const nominees = nomineesOf(input.demand, unit)
    const wide = wideDemand === undefined ? undefined : nomineesOf(wideDemand, unit)
    const addresses = addressesOf(unit)
    const hint = addresses.map(({ text }) => input.hints.get(text)).find((name) => name !== undefined)
    return [{ key, addresses, nominees, wideNominees: wide, hint }]
  })
}

function addressesOf(unit: readonly Holding[]): readonly UnitAddress[] {
  const addresses = new Map<string, UnitAddress>()
  for (const { address, text } of unit) addresses.set(text, { address, text })
  return [...addresses.values()]
}

/**
 * Nodes that can announce every address that anybody can announce, as far as one node can: demands
 * are met oldest first, as in the static plan; one that no remaining node meets is left out.
 */
function nomineesOf(demand: DemandPlan, unit: readonly Holding[]): readonly Nominee[] {
  const met: Demand[] = []
  let left: readonly Bid[] = []
  for (const holding of unit) {
    const planned = planDemand(demand, holding)
    if (planned.bids.length === 0) continue
    const able = new Set(planned.bids.map(({ node }) => node))
    const candidates = met.length === 0 ? planned.bids : left.filter(({ node }) => able.has(node))
    if (candidates.length === 0) continue
    met.push(planned)
    left = candidates
  }
  return left.map(({ node, score }) => ({ node, score, interfaces: interfacesOf(node, met) }))
    .toSorted((a, b) => (a.node < b.node ? -1 : 1))
}

/** Union over the Services that share an address. */
function interfacesOf(node: string, met: readonly Demand[]): Nominee['interfaces'] {
  const places = new Map<string, 'all' | readonly string[]>()
  for (const { holding: { text }, bids } of met) {
    const bid = bids.find((each) => each.node === node)
    if (bid === undefined) continue
    const before = places.get(text)
    const isAll = before === 'all' || bid.interfaces === 'all'
    places.set(text, isAll ? 'all' : [...new Set([...before ?? [], ...bid.interfaces])].toSorted())
  }
  return places
}
