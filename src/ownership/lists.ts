/** What beats that arrive here say of a unit. */
import type { Millis } from '../net/model.ts'
import { fenceMs, suspectMs } from './limits.ts'
import type { Ownership, Unit } from './state.ts'

/** Whether beats of that owner arrive here, and name the unit. */
export function isBeaten(o: Ownership, unit: Unit, owner: string, now: Millis): boolean {
  const record = o.beats.get(owner)
  if (record?.list.has(unit.key) !== true) return false
  return [...record.heard.values()].some((atMs) => now - atMs < suspectMs)
}

/** Whether somebody's beats for the unit, received on this leg, may have extended its right until now. */
export function isBeatenOn(o: Ownership, unit: Unit, ifindex: number, now: Millis): boolean {
  return [...o.beats.values()].some(({ list, heard }) =>
    list.has(unit.key) && now - (heard.get(ifindex) ?? Number.NEGATIVE_INFINITY) < fenceMs
  )
}
