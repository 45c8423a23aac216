/** Claims behind a fabric with ARP suppression, which answers in the name of an owner that is dead. */
import type { Millis } from '../net/model.ts'
import { stepAttempt } from './claim.ts'
import { postponeMs, rankMs, unicastCount } from './limits.ts'
import { take } from './own.ts'
import { lookAt, type Ownership, type Unit } from './state.ts'
import { hashRank, mayOwn } from './units.ts'

/** A claim whose suspect was asked by unicast, or one that waits for its turn. */
export function stepWaiting(o: Ownership, unit: Unit, now: Millis): void {
  const { attempt } = unit
  if (attempt?.unicastMs === undefined || now < attempt.startMs) return stepAttempt(o, unit, now)
  if (attempt.unicasts < unicastCount) {
    attempt.unicastMs = undefined
    attempt.startMs = now + postponeMs
    return lookAt(o, unit, attempt.startMs)
  }
  if (!mayOwn(o, unit, now)) return void (unit.attempt = undefined)
  // Others may be at the same point, whom a fabric that answers for all keeps from hearing each other ask.
  const rank = hashRank(o, unit, attempt.suspect).indexOf(o.self)
  if (rank > 0 && attempt.unicasts === unicastCount) {
    attempt.unicasts++
    attempt.startMs = now + rankMs * rank
    return lookAt(o, unit, attempt.startMs)
  }
  take(o, unit, { cause: 'arpSuppression', from: attempt.suspect }, now)
}
