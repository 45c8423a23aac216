/** The owner of a part of an address's segments asks for the rest. */
import type { Millis } from '../net/model.ts'
import { deafMs, unheardRetryMs } from './limits.ts'
import { isBeatenOn } from './lists.ts'
import { announce } from './own.ts'
import { type Ended, startRound } from './round.ts'
import { outdate, restate } from './stale.ts'
import { lookAt, type Ownership, type Unit } from './state.ts'
import { pleadAgain } from './trial.ts'

/** An owner of some segments asks on the others: what nobody owns there is its too. */
export function widen(o: Ownership, unit: Unit, now: Millis): void {
  const { own } = unit
  if (own?.scope === undefined) return
  if (now < own.probeMs) return lookAt(o, unit, own.probeMs)
  own.probeMs = now + unheardRetryMs
  const { scope } = own
  const legs = new Set([...unit.legs].filter((ifindex) => !scope.has(ifindex)))
  if (legs.size > 0) return startRound(o, unit, 'widen', { atMs: now, legs })
  own.scope = undefined
  outdate(o, unit)
}

/**
 * A deaf owner of the rest does not answer, and speaks for 900 ms more: it is its beats, or silence for
 * as long, that says that the rest is free.
 */
export function endWiden(o: Ownership, unit: Unit, { round, heard }: Ended, now: Millis): void {
  const { own } = unit
  if (own?.scope === undefined) return
  if (heard.size === 0) pleadAgain(o, unit, round.legs, now)
  own.unansweredMs = heard.size === 0 ? undefined : own.unansweredMs ?? round.startMs
  const isLong = own.unansweredMs !== undefined && now - own.unansweredMs >= deafMs
  const free = [...heard].filter((ifindex) => isLong && !isBeatenOn(o, unit, ifindex, now))
  const scope = new Set([...own.scope, ...free])
  own.scope = [...unit.legs].every((ifindex) => scope.has(ifindex)) ? undefined : scope
  outdate(o, unit)
  if (own.scope !== undefined) lookAt(o, unit, own.probeMs)
  if (free.length === 0) return
  own.unansweredMs = undefined
  restate(o, unit)
  o.lastTargets = ''
  announce(o, unit)
}
