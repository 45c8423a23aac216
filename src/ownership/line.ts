/** The credit for probe rounds, and who waits for it: what one node sends, all others have to read. */
import type { Millis } from '../net/model.ts'
import { creditPerMs, lineMs, lineTickMs, overtakenMs, startCredit, startsPerMs } from './limits.ts'
import type { Round } from './ongoing.ts'
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
 * all that there can be begins with that, and leaves a debt, which is never more than a full credit.
 */
function neededFor(unit: Unit, { perMs, full }: Budget): number {
  return Math.min(full, costOf(unit) - perMs * lineMs)
}

/** Whether nobody answers for what the round is for: then it is in the line that goes first. */
function isDark(purpose: Round['purpose']): boolean {
  return purpose === 'claim' || purpose === 'resume'
}

/** Whether anybody waits there still; who left without a word is forgotten. */
function hasWaiting(line: Map<Unit, Millis>): boolean {
  for (const unit of line.keys()) {
    if (unit.round?.isInLine === true) return true
    line.delete(unit)
  }
  return false
}

/**
 * Whether nobody is to go first: of the same line, who has waited longer and fits now, or was overtaken
 * for long enough; of what is answered for all the while, nobody as long as anything dark is in line.
 */
function isFirst(
  o: Ownership, unit: Unit, purpose: Round['purpose'],
  { budget, now }: { readonly budget: Budget; readonly now: Millis },
): boolean {
  const { dark, rest } = o.line
  if (!isDark(purpose) && hasWaiting(dark)) return false
  const line = isDark(purpose) ? dark : rest
  for (const [other, sinceMs] of line) {
    if (other === unit) return true
    if (other.round?.isInLine !== true) line.delete(other)
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
export function reserveStart(
  o: Ownership, unit: Unit, purpose: Round['purpose'], now: Millis,
): Millis | undefined {
  const { starts, line: { dark, rest } } = o
  const budget = refill(o, slownessOf(o, now), now)
  const isTurn = starts.credit >= neededFor(unit, budget) && isFirst(o, unit, purpose, { budget, now })
  dark.delete(unit)
  rest.delete(unit)
  if (!isTurn) {
    const line = isDark(purpose) ? dark : rest
    line.set(unit, now)
    return undefined
  }
  const cost = costOf(unit)
  const waitMs = Math.min(lineMs, Math.max(0, cost - starts.credit) / budget.perMs)
  starts.credit = Math.max(-startCredit, starts.credit - cost)
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
  if (o.starts.credit < neededFor(unit, budget)) return false
  if (!isFirst(o, unit, round.purpose, { budget, now })) return false
  unit.round = undefined
  if (round.purpose === 'check') unit.checkMs = now
  if (round.purpose === 'widen' && own !== undefined) own.probeMs = now
  return true
}

/**
 * Has those looked at whose turn has come: first what is dark, and when nothing is, the rest; of each,
 * the oldest first. Returns the next instant to look at the lines.
 */
export function serveLine(o: Ownership, now: Millis): Millis {
  const { dark, rest } = o.line
  if (dark.size + rest.size === 0) return Number.POSITIVE_INFINITY
  const budget = refill(o, slownessOf(o, now), now)
  let { credit } = o.starts
  const line = hasWaiting(dark) ? dark : rest
  for (const [unit, sinceMs] of line) {
    if (unit.round?.isInLine !== true) {
      line.delete(unit)
      continue
    }
    if (credit >= neededFor(unit, budget)) {
      credit -= costOf(unit)
      lookAt(o, unit, now)
    } else if (now - sinceMs >= overtakenMs || credit < 1 - budget.perMs * lineMs) break
  }
  return now + lineTickMs
}
