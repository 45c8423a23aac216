/** Joins what Services hold into units: sets of addresses that have one owner. */
import type { Holding } from './demand.ts'
import { changesOf, spliced } from './span.ts'

/** The units of each list of holdings, and by its first holding each unit: the same ones again. */
const unitsOf = new WeakMap<readonly Holding[], Units>()
const unitOf = new WeakMap<Holding, Unit>()

/** Holdings that have one owner, oldest Service first. */
export type Unit = readonly Holding[]

/** Units in order of their first holdings, and where each Service and address is. */
export interface Units {
  readonly holdings: readonly Holding[]
  readonly list: readonly Unit[]
  readonly index: UnitIndex
}

/** Goes on from one list of units to the next: it is about the latest one. */
export interface UnitIndex {
  latest: readonly Unit[]
  readonly byService: Map<string, Unit>
  readonly byText: Map<string, Unit>
}

/** More changes than this at once are grouped anew as a whole. */
const maxChanges = 64

/**
 * Holdings that share a Service or an address belong to one unit; order of input is kept. A unit of
 * the same holdings is the same value each time.
 */
export function groupUnits(holdings: readonly Holding[]): readonly Unit[] {
  return (unitsOf.get(holdings) ?? groupAll(holdings)).list
}

/** The same with its index. Made from the last one where few holdings came or went. */
export function unitsFrom(holdings: readonly Holding[], before?: Units): Units {
  const known = unitsOf.get(holdings)
  if (known !== undefined && known.index.latest === known.list) return known
  const isLatest = before !== undefined && before.index.latest === before.list
  return (isLatest ? regroup(before, holdings) : undefined) ?? groupAll(holdings)
}

/** All of the units in which these Services have anything. */
export function holdingsWith({ index }: Units, services: Iterable<string>): readonly Holding[] {
  const units = new Set([...services].flatMap((key) => {
    const unit = index.byService.get(key)
    return unit === undefined ? [] : [unit]
  }))
  return [...units].flat()
}

function groupAll(holdings: readonly Holding[]): Units {
  const list = joinUnits(holdings).map(known)
  const index = { latest: list, byService: new Map(), byText: new Map() }
  for (const unit of list) indexUnit(index, unit)
  return remember({ holdings, list, index })
}

function remember(units: Units): Units {
  unitsOf.set(units.holdings, units)
  units.index.latest = units.list
  return units
}

function known(unit: Unit): Unit {
  const [first] = unit
  if (first === undefined) return unit
  const before = unitOf.get(first)
  if (before !== undefined && isSameList(before, unit)) return before
  unitOf.set(first, unit)
  return unit
}

function indexUnit({ byService, byText }: UnitIndex, unit: Unit): void {
  for (const { service, text } of unit) {
    byService.set(service.key, unit)
    byText.set(text, unit)
  }
}

/** Only units that have to do with what came or went; undefined = too many. */
function regroup(before: Units, holdings: readonly Holding[]): Units | undefined {
  const { gone, come } = changesOf(before.holdings, holdings)
  if (gone.length + come.length > maxChanges) return undefined
  const { index } = before
  const touched = new Set<Unit>()
  for (const { service, text } of [...gone, ...come]) {
    for (const unit of [index.byService.get(service.key), index.byText.get(text)]) {
      if (unit !== undefined) touched.add(unit)
    }
  }
  const left = new Set([...touched].flatMap((unit) => unit))
  if (left.size > maxChanges) return undefined
  for (const { service, text } of left) {
    index.byService.delete(service.key)
    index.byText.delete(text)
  }
  for (const holding of gone) left.delete(holding)
  for (const holding of come) left.add(holding)
  const places = new Map([...left].map((holding) => [holding, holdings.indexOf(holding)]))
  const inOrder = [...left].toSorted((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0))
  let list = before.list
  for (const unit of touched) list = spliced(list, list.indexOf(unit), 1, [])
  for (const unit of joinUnits(inOrder).map(known)) {
    list = spliced(list, placeOf(index, { holdings, list, unit }), 0, [unit])
    indexUnit(index, unit)
  }
  return remember({ holdings, list, index })
}

/** After the last unit that begins before it; all of these are in the index. */
function placeOf(
  { byService }: UnitIndex,
  { holdings, list, unit }: Pick<Units, 'holdings' | 'list'> & { readonly unit: Unit },
): number {
  const [first] = unit
  for (let i = first === undefined ? -1 : holdings.indexOf(first) - 1; i >= 0; i--) {
    const before = byService.get(holdings[i]?.service.key ?? '')
    if (before !== undefined && before[0] === holdings[i]) return list.indexOf(before) + 1
  }
  return 0
}

function joinUnits(holdings: readonly Holding[]): readonly Unit[] {
  const services = countBy(holdings, ({ service }) => service.key)
  const texts = countBy(holdings, ({ text }) => text)
  const isAlone = ({ service, text }: Holding): boolean =>
    services.get(service.key) === 1 && texts.get(text) === 1
  const rootOf = joinHoldings(holdings.filter((holding) => !isAlone(holding)))
  const units: Holding[][] = []
  const byRoot = new Map<string, Holding[]>()
  for (const holding of holdings) {
    const root = isAlone(holding) ? undefined : rootOf(holding)
    const unit = root === undefined ? undefined : byRoot.get(root)
    if (unit !== undefined) {
      unit.push(holding)
      continue
    }
    const fresh = [holding]
    units.push(fresh)
    if (root !== undefined) byRoot.set(root, fresh)
  }
  return units
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) {
    const key = keyOf(item)
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

/** Says for each holding which of the connected sets it is in. */
function joinHoldings(holdings: readonly Holding[]): (holding: Holding) => string {
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
  return ({ service }) => find(`s ${service.key}`)
}

/** Whether both have the same items, by identity; two that are undefined are the same. */
export function isSameList<T>(a: readonly T[] | undefined, b: readonly T[] | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.length === b.length &&
    a.every((item, i) => item === b[i]))
}

/** Whether both sets have the same items. */
export function isSameSet<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  return a === b || (a.size === b.size && [...a].every((item) => b.has(item)))
}
