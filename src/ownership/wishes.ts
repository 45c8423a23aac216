/** Makes the wishes of a world from what Services hold and advertisements select. */
import {
  type Bid, type Demand, type DemandPlan, type Holding, planDemand, startDemands,
} from '../l2/demand.ts'
import { groupUnits, isSameList, type Unit } from '../l2/unit.ts'
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

/** What was wished last for a unit, and from what. */
interface Known {
  readonly demands: readonly Demand[]
  readonly wide: readonly Demand[] | undefined
  readonly wish: Wish
}

const wished = new WeakMap<Unit, Known>()

/**
 * One wish a unit, in order of the oldest Service; units that nobody may announce are included. A
 * wish whose unit, demands and hint are as they were is the same value as last time.
 */
export function wishesOf(input: WishInput): readonly Wish[] {
  const wideDemand = input.isMixed ? startDemands({ ...input.demand, everywhere: true }) : undefined
  return groupUnits(input.holdings).flatMap((unit) => {
    const key = unit[0]?.text
    if (key === undefined) return []
    const demands = demandsOf(input.demand, unit)
    const wide = wideDemand === undefined ? undefined : demandsOf(wideDemand, unit)
    const hint = hintOf(input, unit)
    const known = wished.get(unit)
    const isSame = known !== undefined && known.wish.hint === hint &&
      isSameList(known.demands, demands) && isSameList(known.wide, wide)
    if (isSame) return [known.wish]
    const wideNominees = wide === undefined ? undefined : nomineesOf(wide)
    const wish = {
      key, addresses: addressesOf(unit), nominees: nomineesOf(demands), wideNominees, hint,
    }
    wished.set(unit, { demands, wide, wish })
    return [wish]
  })
}

function demandsOf(plan: DemandPlan, unit: Unit): readonly Demand[] {
  return unit.map((holding) => planDemand(plan, holding))
}

/** The first hint of any of its addresses. */
function hintOf({ hints }: WishInput, unit: Unit): string | undefined {
  for (const { text } of unit) {
    const hint = hints.get(text)
    if (hint !== undefined) return hint
  }
  return undefined
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
function nomineesOf(demands: readonly Demand[]): readonly Nominee[] {
  const met: Demand[] = []
  let left: readonly Bid[] = []
  for (const planned of demands) {
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
