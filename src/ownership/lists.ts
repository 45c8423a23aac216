/** What beats that arrive here say of a unit. */
import type { Millis } from '../net/model.ts'
import { suspectMs } from './limits.ts'
import type { Ownership, Unit } from './state.ts'

/** Whether beats of that owner arrive here, and name the unit. */
export function isBeaten(o: Ownership, unit: Unit, owner: string, now: Millis): boolean {
  const record = o.beats.get(owner)
  if (record?.list.has(unit.key) !== true) return false
  return [...record.heard.values()].some((atMs) => now - atMs < suspectMs)
}
