/** What this node owns, and on which of its legs it answers for that: counted as units change. */
import { outdate } from './stale.ts'
import { type Ownership, type Unit } from './state.ts'

/** The unit is owned by this node, or no longer. */
export function setOwned(o: Ownership, unit: Unit, isOwned: boolean): void {
  if (o.owned.has(unit) === isOwned) return
  if (isOwned) o.owned.add(unit)
  else o.owned.delete(unit)
  outdate(o, unit)
  countLegs(o, unit.legs, isOwned ? 1 : -1)
}

/** Where this node would answer for the unit. */
export function setLegs(o: Ownership, unit: Unit, legs: ReadonlySet<number>): void {
  const isOwned = o.owned.has(unit)
  if (isOwned) countLegs(o, unit.legs, -1)
  unit.legs = legs
  if (!isOwned) return
  countLegs(o, legs, 1)
  outdate(o, unit)
}

/** Whether the unit is answered for on this leg: heard there, and not through its twin. */
export function isSpoken(o: Ownership, unit: Unit, ifindex: number): boolean {
  const { own } = unit
  if (own?.scope !== undefined && !own.scope.has(ifindex)) return false
  if (o.hearing.get(ifindex)?.isDeaf === true) return false
  const twin = o.twins.get(ifindex)
  return twin === undefined || !unit.legs.has(twin)
}

/** Legs on which the unit is answered for now. */
export function spokenLegs(o: Ownership, unit: Unit): readonly number[] {
  if (unit.own === undefined || unit.own.hush !== undefined) return []
  return [...unit.legs].filter((ifindex) => isSpoken(o, unit, ifindex))
}

function countLegs({ legCounts }: Ownership, legs: ReadonlySet<number>, sign: 1 | -1): void {
  for (const ifindex of legs) {
    const count = (legCounts.get(ifindex) ?? 0) + sign
    if (count === 0) legCounts.delete(ifindex)
    else legCounts.set(ifindex, count)
  }
}
