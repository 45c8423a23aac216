/** Marks of what may be answered for, or told others, otherwise than it is: looked at once, at the end. */
import type { Ownership, Unit } from './state.ts'

/** What is answered of the unit, and how it is listed, may be another: looked at with the next change. */
export function outdate({ stale, unlisted }: Ownership, unit: Unit): void {
  stale.add(unit)
  unlisted.add(unit)
}

/** The same, and others are told at once. */
export function restate(o: Ownership, unit: Unit): void {
  outdate(o, unit)
  o.isListDirty = true
}

/** All that is owned may be answered for and listed otherwise. */
export function restateAll(o: Ownership): void {
  o.isRightsDirty = true
  o.isListStale = true
  o.isListDirty = true
}
