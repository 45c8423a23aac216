/** Makes the wishes of a world from what Services hold and advertisements select. */
import {
  type Bid, type Demand, type DemandPlan, type Holding, planDemand, startDemands,
} from '../l2/demand.ts'
import { spanOf, spliced } from '../l2/span.ts'
import { isSameList, type Unit, type Units, unitsFrom } from '../l2/unit.ts'
import type { Nominee, UnitAddress, Wish } from './model.ts'

export interface WishInput {
  /** Members and nodes as everybody sees them: the input of the static plan. */
  readonly demand: DemandPlan
  /** Every address that a Service of ours holds, oldest Service first. */
  readonly holdings: readonly Holding[]
  /** Last known owner by address text, or by Service: the state directory, or ServiceL2Status. */
  readonly hints: ReadonlyMap<string, string>
  /**
   * Some member speaks no beats, or did lately: nominees without the prefix rule are made too,
   * since MetalLB knows no such rule.
   */
  readonly isMixed: boolean
  /**
   * Services (`namespace/name`) whose endpoints may be others than they were for the last wishes;
   * undefined = any.
   */
  readonly served?: ReadonlySet<string> | undefined
}

/** Wishes, and what the next ones may be made from. */
export interface Wishes {
  /** One a unit, in order of the oldest Service; units that nobody may announce are included. */
  readonly list: readonly Wish[]
  readonly units: Units
  readonly input: WishInput
}

/** What was wished last for a unit, and from what. */
interface Known {
  readonly demands: readonly Demand[]
  readonly wide: readonly Demand[] | undefined
  readonly wish: Wish
}

const wished = new WeakMap<Unit, Known>()
/** More units than this at once are all looked at. */
const maxServed = 64

/**
 * A wish whose unit, demands and hint are as they were is the same value as last time. With the last
 * wishes, which are used up, only units that may have changed are looked at.
 */
export function wishesOf(input: WishInput, before?: Wishes): Wishes {
  const units = unitsFrom(input.holdings, before?.units)
  const list = before === undefined ? undefined : change(input, units, before)
  if (list !== undefined) return { list, units, input }
  const wideDemand = input.isMixed ? startDemands({ ...input.demand, everywhere: true }) : undefined
  return { list: units.list.flatMap((unit) => wishOf(input, unit, wideDemand) ?? []), units, input }
}

/** undefined = all are to be looked at. */
function change(input: WishInput, units: Units, before: Wishes): readonly Wish[] | undefined {
  const { demand, hints, isMixed, served: changed } = input
  const { input: was } = before
  const isSame = demand.told === was.demand.told && hints === was.hints && !isMixed && !was.isMixed
  if (!isSame || changed === undefined || changed.size > maxServed) return undefined
  const { from, count, items } = spanOf(before.units.list, units.list)
  // Where much comes and goes the span is long, and most of it is what it was.
  const old = new Set(count > 0 ? before.units.list.slice(from, from + count) : [])
  const fresh = items.flatMap((unit) =>
    (old.has(unit) ? wished.get(unit)?.wish : undefined) ?? wishOf(input, unit, undefined) ?? [])
  const isEqual = count === 0 && fresh.length === 0
  let list = isEqual ? before.list : spliced(before.list, from, count, fresh)
  for (const key of changed) {
    const unit = units.index.byService.get(key)
    const wish = unit === undefined ? undefined : wishOf(input, unit, undefined)
    const at = unit === undefined ? -1 : units.list.indexOf(unit)
    if (wish !== undefined && list[at] !== wish) list = list.with(at, wish)
  }
  return list
}

function wishOf(input: WishInput, unit: Unit, wideDemand: DemandPlan | undefined): Wish | undefined {
  const key = unit[0]?.text
  if (key === undefined) return undefined
  const demands = demandsOf(input.demand, unit)
  const wide = wideDemand === undefined ? undefined : demandsOf(wideDemand, unit)
  const hint = hintOf(input, unit)
  const known = wished.get(unit)
  const isSame = known !== undefined && known.wish.hint === hint &&
    isSameList(known.demands, demands) && isSameList(known.wide, wide)
  if (isSame) return known.wish
  const wideNominees = wide === undefined ? undefined : nomineesOf(wide)
  const wish = {
    key, addresses: addressesOf(unit), nominees: nomineesOf(demands), wideNominees, hint,
  }
  wished.set(unit, { demands, wide, wish })
  return wish
}

function demandsOf(plan: DemandPlan, unit: Unit): readonly Demand[] {
  return unit.map((holding) => planDemand(plan, holding))
}

/** The first hint of any of its addresses. */
function hintOf({ hints }: WishInput, unit: Unit): string | undefined {
  for (const { text, service } of unit) {
    const hint = hints.get(text) ?? hints.get(service.key)
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
  const bids = met.flatMap((planned) => planned.bids)
  const ending = new Set(bids.filter(({ isEnding }) => isEnding).map(({ node }) => node))
  return left.map(({ node, score }) => ({
    node, score, interfaces: interfacesOf(node, met), isEnding: ending.has(node),
  })).toSorted((a, b) => (a.node < b.node ? -1 : 1))
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
