/** What beats that arrive here say of a unit. */
import type { Millis } from '../net/model.ts'
import { isHushed } from './codec.ts'
import { fenceMs, suspectMs } from './limits.ts'
import type { Ownership, Unit } from './state.ts'

/** Whether beats of that owner arrive here, and name the unit. */
export function isBeaten(o: Ownership, unit: Unit, owner: string, now: Millis): boolean {
  const record = o.beats.get(owner)
  if (record?.list.has(unit.key) !== true) return false
  return [...record.heard.values()].some((atMs) => now - atMs < suspectMs)
}

/**
 * Two that were separated, or of which one knew nothing of the other, may have claimed with one term. Of two
 * that beat here one is contested: the one that stood still and is silent, since the other answers, else
 * the higher name. undefined = there is only one.
 */
export function secondOf(o: Ownership, unit: Unit, owner: string, now: Millis): string | undefined {
  const { key, owner: known } = unit
  if (known === undefined || known === owner || !isBeaten(o, unit, known, now)) return undefined
  const isSilent = (name: string): boolean =>
    ((o.beats.get(name)?.list.get(key)?.flags ?? 0) & isHushed) !== 0
  if (isSilent(owner) !== isSilent(known)) return isSilent(owner) ? owner : known
  return owner > known ? owner : known
}

/**
 * Who has the unit by beats with a higher term than this owner's, on all segments that this node hears, and
 * answers for it there; undefined = nobody as far as beats say, and the wire has to be asked.
 */
export function heirOf(o: Ownership, unit: Unit, now: Millis): string | undefined {
  const legs = [...unit.legs].filter((ifindex) => o.hearing.get(ifindex)?.isDeaf !== true)
  if (legs.length === 0) return undefined
  for (const { owner, list, heard } of o.beats.values()) {
    const { term, flags } = list.get(unit.key) ?? { term: 0, flags: 0 }
    if (flags !== 0 || term <= (unit.own?.term ?? term)) continue
    const isBeating = (ifindex: number): boolean =>
      now - (heard.get(ifindex) ?? Number.NEGATIVE_INFINITY) < suspectMs
    if (legs.every(isBeating)) return owner
  }
  return undefined
}

/** Whether somebody's beats for the unit, received on this leg, may have extended its right until now. */
export function isBeatenOn(o: Ownership, unit: Unit, ifindex: number, now: Millis): boolean {
  return [...o.beats.values()].some(({ list, heard }) =>
    list.has(unit.key) && now - (heard.get(ifindex) ?? Number.NEGATIVE_INFINITY) < fenceMs
  )
}
