/** A placed unit is announced before anybody was asked: what if this node proves not to be heard? */
import type { Millis } from '../net/model.ts'
import { isCutOff } from './hearing.ts'
import { isSpoken } from './legs.ts'
import { fenceMs, pleaCount, quietMs, roundMs, unheardRetryMs } from './limits.ts'
import { spread } from './monitor.ts'
import { release } from './own.ts'
import { restateAll } from './stale.ts'
import { lookAt, type Ownership, type Unit } from './state.ts'

/**
 * The end of a round beside the first announcements. Where none of its controls was answered, it is asked
 * again, and a leg on which nobody has answered for long is given up.
 */
export function endTrial(o: Ownership, unit: Unit, heard: ReadonlySet<number>, now: Millis): void {
  const { own } = unit
  if (own?.trialMs === undefined) return
  const unheard = [...unit.legs].filter((ifindex) => !heard.has(ifindex) && isSpoken(o, unit, ifindex))
  if (unheard.length === 0) {
    own.trialMs = undefined
    return
  }
  const cut = now - own.trialMs < quietMs ? [] : unheard.filter((ifindex) => isCutOff(o, ifindex, now))
  for (const ifindex of cut) giveUp(o, ifindex, now)
  if (unit.own?.trialMs === undefined) return
  unit.checkMs = now + unheardRetryMs - roundMs
  lookAt(o, unit, unit.checkMs)
}

/** All that was placed here lately is silent on the leg, and others are told so, on one that is heard. */
function giveUp(o: Ownership, ifindex: number, now: Millis): void {
  const units = [...o.owned].filter(({ own, legs }) =>
    own?.trialMs !== undefined && own.hush === undefined && legs.has(ifindex)
  )
  let way: number | undefined
  for (const unit of units) {
    const { own } = unit
    if (own === undefined) continue
    own.trialMs = undefined
    const left = [...own.scope ?? unit.legs].filter((leg) => leg !== ifindex)
    way = left.find((leg) => !isCutOff(o, leg, now)) ?? way
    if (left.length === 0) release(o, unit, { cause: 'ownerDeaf', to: undefined }, now)
    else {
      own.scope = new Set(left)
      own.pleas = pleaCount
      own.probeMs = now + unheardRetryMs
      lookAt(o, unit, own.probeMs)
    }
  }
  restateAll(o)
  o.lastTargets = ''
  plead(o, units, { ifindex, way, count: 1 }, now)
}

/** Nobody answers for the units there: the next in rank may have them at once. */
function plead(
  o: Ownership, units: readonly Unit[],
  { ifindex, way, count }: { ifindex: number; way: number | undefined; count: number }, now: Millis,
): void {
  const lastBeatMs = now - fenceMs
  spread(o, units, { suspect: o.self, ifindex, lastBeatMs, cause: 'ownerDeaf', count, way }, now)
}

/** The rest of a part was asked for, and this node was not heard there: somebody else is to have it. */
export function pleadAgain(o: Ownership, unit: Unit, legs: ReadonlySet<number>, now: Millis): void {
  const { own } = unit
  if (own === undefined || own.pleas === 0) return
  const count = pleaCount + 2 - own.pleas--
  const way = [...own.scope ?? []].find((leg) => !isCutOff(o, leg, now))
  for (const ifindex of legs) if (isCutOff(o, ifindex, now)) plead(o, [unit], { ifindex, way, count }, now)
}
