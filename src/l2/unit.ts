/** Joins what Services hold into units: sets of addresses that have one owner. */
import type { Holding } from './demand.ts'

/** The units of each list of holdings, and by its first holding each unit: the same ones again. */
const unitsOf = new WeakMap<readonly Holding[], readonly Unit[]>()
const unitOf = new WeakMap<Holding, Unit>()

/** Holdings that have one owner, oldest Service first. */
export type Unit = readonly Holding[]

/**
 * Holdings that share a Service or an address belong to one unit; order of input is kept. A unit of
 * the same holdings is the same value each time.
 */
export function groupUnits(holdings: readonly Holding[]): readonly Unit[] {
  const known = unitsOf.get(holdings)
  if (known !== undefined) return known
  const units = joinUnits(holdings).map((unit) => {
    const [first] = unit
    if (first === undefined) return unit
    const before = unitOf.get(first)
    if (isSameList(before, unit)) return before ?? unit
    unitOf.set(first, unit)
    return unit
  })
  unitsOf.set(holdings, units)
  return units
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
