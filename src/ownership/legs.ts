/** What this node owns, and on which of its legs: counted as units change. */
import type { Ownership, Unit } from './state.ts'

/** The unit is owned by this node, or no longer. */
export function setOwned(o: Ownership, unit: Unit, isOwned: boolean): void {
  if (o.owned.has(unit) === isOwned) return
  if (isOwned) o.owned.add(unit)
  else o.owned.delete(unit)
  countLegs(o, unit.legs, isOwned ? 1 : -1)
}

/** Where this node would answer for the unit. */
export function setLegs(o: Ownership, unit: Unit, legs: ReadonlySet<number>): void {
  const isOwned = o.owned.has(unit)
  if (isOwned) countLegs(o, unit.legs, -1)
  unit.legs = legs
  if (isOwned) countLegs(o, legs, 1)
}

function countLegs({ legCounts }: Ownership, legs: ReadonlySet<number>, sign: 1 | -1): void {
  for (const ifindex of legs) {
    const count = (legCounts.get(ifindex) ?? 0) + sign
    if (count === 0) legCounts.delete(ifindex)
    else legCounts.set(ifindex, count)
  }
}
