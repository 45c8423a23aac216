/** The credit for probe rounds, and who waits for it: what one node sends, all others have to read. */
import type { Millis } from '../net/model.ts'
import { creditPerMs, lineMs, lineTickMs, overtakenMs, startCredit, startsPerMs } from './limits.ts'
import { lookAt, type Ownership, type Unit } from './state.ts'
import { slownessOf } from './strain.ts'
import { weightOf } from './units.ts'

interface Budget {
  /** Credit that comes back in a millisecond. */
  readonly perMs: number
  /** The most that there ever is. */
  readonly full: number
}

/** Brings the credit up to `now`. Slow nodes have less of it. */
function refill({ starts }: Ownership, slowness: number, now: Millis): Budget {
  const perMs = creditPerMs / 2 ** slowness
  const full = startCredit / 4 ** slowness
  starts.credit = Math.min(full, starts.credit + Math.max(0, now - starts.atMs) * perMs)
  starts.atMs = Math.max(starts.atMs, now)
  return { perMs, full }
}

function costOf(unit: Unit): number {
  return Math.max(1, weightOf(unit))
}

/**
 * The credit with which the unit may begin: credit is taken `lineMs` in advance, and what is heavier than
 * all that there can be begins with that, and leaves a debt.
 */
function neededFor(unit: Unit, { perMs, full }: Budget): number {
  return Math.min(full, costOf(unit) - perMs * lineMs)
}

/** Whether nobody who has waited longer is to go first: who fits now, or was overtaken for long enough. */
function isFirst(o: Ownership, unit: Unit, budget: Budget, now: Millis): boolean {
  for (const [other, sinceMs] of o.line) {
    if (other === unit) return true
    if (other.round?.isInLine !== true) o.line.delete(other)
    else if (o.starts.credit >= neededFor(other, budget) || now - sinceMs >= overtakenMs) return false
  }
  return true
}

/**
 * 1,000 addresses that are lost at one instant start within 84 ms, a bounded number in each; what goes
 * beyond waits in line for credit, so that nobody's probes can keep others from their beats. The instant
 * at which the unit's round begins; undefined = it is in line from now on: what it is called off for
 * while it waits has cost nothing.
 */
export function reserveStart(o: Ownership, unit: Unit, now: Millis): Millis | undefined {
  const { starts } = o
  const budget = refill(o, slownessOf(o, now), now)
  if (starts.credit < neededFor(unit, budget) || !isFirst(o, unit, budget, now)) {
    o.line.delete(unit)
    o.line.set(unit, now)
    return undefined
  }
  o.line.delete(unit)
  const cost = costOf(unit)
  const waitMs = Math.min(lineMs, Math.max(0, cost - starts.credit) / budget.perMs)
  starts.credit -= cost
  const startMs = Math.max(now + waitMs, starts.nextMs)
  starts.nextMs = startMs + cost / startsPerMs
  // Whole milliseconds, so that those of one instant are one wake.
  return Math.max(now, Math.floor(startMs))
}

/**
 * Whether the turn of a unit in line has come. Then it is in line no more: whatever it waited for is
 * decided again, with the legs and the owners of now, and begins at once if it is still to be done.
 */
export function takeTurn(o: Ownership, unit: Unit, now: Millis): boolean {
  const { round, own } = unit
  if (round?.isInLine !== true) return true
  const budget = refill(o, slownessOf(o, now), now)
  const isTurn = o.starts.credit >= neededFor(unit, budget) && isFirst(o, unit, budget, now)
  if (!isTurn) return false
  unit.round = undefined
  if (round.purpose === 'check') unit.checkMs = now
  if (round.purpose === 'widen' && own !== undefined) own.probeMs = now
  return true
}

/** Has those looked at whose turn has come, oldest first. Returns the next instant to look at the line. */
export function serveLine(o: Ownership, now: Millis): Millis {
  if (o.line.size === 0) return Number.POSITIVE_INFINITY
  const budget = refill(o, slownessOf(o, now), now)
  let { credit } = o.starts
  for (const [unit, sinceMs] of o.line) {
    if (unit.round?.isInLine !== true) {
      o.line.delete(unit)
      continue
    }
    if (credit >= neededFor(unit, budget)) {
      credit -= costOf(unit)
      lookAt(o, unit, now)
    } else if (now - sinceMs >= overtakenMs || credit < 1 - budget.perMs * lineMs) break
  }
  return now + lineTickMs
}
