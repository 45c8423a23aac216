/** Coming to own a unit, falling silent, speaking again, and letting go. */
import { takeDue } from '../l2/schedule.ts'
import type { Millis } from '../net/model.ts'
import { legOf } from './fleet.ts'
import {
  controlMs, deafMs, handedMs, historyLength, pleaCount, provisionalMs, quietMs, shoutGapMs, shoutMs,
  stallMs, unheardRetryMs, wholeBurstMs,
} from './limits.ts'
import { isSpoken, setOwned, spokenLegs } from './legs.ts'
import type { Cause } from './model.ts'
import type { Hush, Own, Pause } from './ongoing.ts'
import { rightsOf } from './rights.ts'
import { restate } from './stale.ts'
import { lookAt, type Move, note, type Ownership, setOwner, setTerm, type Unit } from './state.ts'

export interface Taking {
  readonly cause: Cause
  readonly from: string | undefined
  readonly isProvisional?: boolean
  readonly isHanded?: boolean
  /** It has just come into the world: where it is put is where it stays. */
  readonly isNew?: boolean
  readonly scope?: ReadonlySet<number> | undefined
}

/** This node owns the unit from now on and answers for it; only in `wake`. */
export function take(o: Ownership, unit: Unit, taking: Taking, now: Millis): void {
  const { cause, from } = taking
  const darkMs = unit.darkMs === undefined ? undefined : Math.max(0, now - unit.darkMs)
  unit.attempt = undefined
  unit.round = undefined
  unit.pick = undefined
  const isRestart = now < o.restartUntilMs && taking.isNew !== true &&
    (cause === 'placed' || isStopgap(unit, taking))
  const isMovable = taking.isProvisional === true || isRestart
  setTerm(o, unit, unit.term + 1)
  unit.own = {
    hush: undefined, term: unit.term, sinceMs: now, hushedMs: 0, silentMs: 0, isDisputed: false,
    burstMs: now, probeMs: now + unheardRetryMs,
    graceUntilMs: taking.isHanded === true ? now + handedMs : 0,
    handedBy: taking.isHanded === true ? from : undefined,
    trialMs: taking.isNew === true && taking.isHanded !== true ? now : undefined,
    hasTrialLeft: false, pleas: 0,
    scope: taking.scope, unansweredMs: undefined, provisionalUntilMs: isMovable ? now + provisionalMs : 0,
    offer: undefined, refused: new Map(), joinMs: 0, better: undefined,
    defendedMs: Number.NEGATIVE_INFINITY, conflict: undefined, isCut: false,
    hasLost: false, ineligibleMs: undefined, isStrictTold: false,
  }
  unit.beatTerm = unit.term
  unit.isBeatPart = taking.scope !== undefined
  setOwned(o, unit, true)
  o.unsteady.add(unit)
  if (from !== undefined && taking.isHanded !== true) lose(o, from, taking.scope ?? unit.legs, now)
  setOwner(o, unit, o.self, now)
  unit.sinceMs = now
  unit.ownedMs = now
  if (taking.scope !== undefined) lookAt(o, unit, now + unheardRetryMs)
  voiced(o, unit)
  o.news.add(unit)
  remember(o, { atMs: now, unit: unit.key, kind: 'claimed', cause, from, to: o.self, darkMs })
}

/** From whoever was first or second to have it since everything was restarted, in place of its hint. */
function isStopgap({ term, wish }: Unit, { from, isHanded }: Taking): boolean {
  const { hint } = wish ?? {}
  return term <= 2 && isHanded !== true && from !== undefined && hint !== undefined && from !== hint
}

/** What is heard of it on one segment says nothing of the others on which a unit of its was claimed. */
function lose(o: Ownership, from: string, claimed: ReadonlySet<number>, now: Millis): void {
  const shared = [...claimed].filter((ifindex) => legOf(o, from, ifindex) !== undefined)
  const legs = new Set([...o.lost.get(from)?.legs ?? [], ...shared.length > 0 ? shared : claimed])
  o.lost.set(from, { sinceMs: now, legs, isSilent: true })
}

/** The owner stops answering, and stays the owner until the wire has decided. */
export function hush(o: Ownership, unit: Unit, why: Hush, now: Millis): void {
  const { own } = unit
  if (own === undefined) return
  const wasHushed = own.hush !== undefined
  if (own.hush === why) return
  own.hush = why
  o.hasConflicts ||= why === 'conflict'
  own.probeMs = now
  if (!wasHushed) {
    // A check that is under way is of an owner that answers.
    unit.round = undefined
    own.hasTrialLeft ||= own.trialMs !== undefined
    own.trialMs = undefined
    own.isDisputed = false
    own.hushedMs = now
    own.silentMs = why === 'expired' ? expiredMs(o, own, now) : now
    unit.darkMs = own.silentMs
    // Its successor has it: the note of that follows.
    if (why !== 'handOver') note(o, { kind: 'silenced', unit: unit.key, cause: why })
  }
  if (why !== 'handOver') {
    const atMs = wasHushed ? now : own.silentMs
    rememberPause(o, { atMs, unit: unit.key, kind: 'silenced', cause: why, lastedMs: undefined })
  }
  restate(o, unit)
  lookAt(o, unit, now)
}

/** Nothing left after its deadline; and one that stood still has not answered since it was due to wake. */
function expiredMs({ notAfterMs, wakeMs }: Ownership, { sinceMs }: Own, now: Millis): Millis {
  const stoodMs = now > wakeMs + stallMs ? wakeMs : now
  return Math.max(sinceMs, Math.min(now, notAfterMs, stoodMs))
}

/** The owner answers again; its term rises above any that was heard of. */
export function resume(o: Ownership, unit: Unit, now: Millis): void {
  const { own } = unit
  if (own?.hush === undefined) return
  const cause = own.hush
  const isBrief = cause === 'expired' && isUndisputed(unit, own, now)
  if (cause === 'contested' || unit.term > own.term) {
    setTerm(o, unit, unit.term + 1)
    own.term = unit.term
    unit.beatTerm = unit.term
  }
  own.hush = undefined
  unit.darkMs = undefined
  if (!isBrief) own.burstMs = now
  if (unit.shoutMs !== undefined) lookAt(o, unit, Math.max(now, unit.shoutMs))
  // Where it was not heard, others have to be told, as at the end of a trial.
  if (own.hasTrialLeft && own.scope !== undefined) own.pleas = pleaCount
  own.hasTrialLeft = false
  voiced(o, unit, isBrief)
  o.news.add(unit)
  note(o, { kind: 'resumed', unit: unit.key, cause })
  rememberPause(o, { atMs: now, unit: unit.key, kind: 'resumed', cause, lastedMs: now - own.silentMs })
}

/**
 * Caches hold it as it was: its last burst was over, nobody is known to have claimed it or was heard for it,
 * and whoever had owned it meanwhile would have answered.
 */
function isUndisputed({ term, shoutMs, shoutedMs }: Unit, own: Own, now: Millis): boolean {
  return term === own.term && !own.isDisputed && shoutMs === undefined &&
    now - Math.max(shoutedMs, own.burstMs) > wholeBurstMs
}

function voiced(o: Ownership, unit: Unit, isBrief = false): void {
  unit.unproven.clear()
  restate(o, unit)
  announce(o, unit, isBrief)
}

/** Starts the announcement burst of the whole unit, or sends one round of it. */
export function announce(o: Ownership, unit: Unit, isBrief = false): void {
  const byLeg = new Map<number, string[]>()
  for (const { text, ifindexes } of rightsOf(o, unit)) {
    for (const ifindex of ifindexes) {
      const texts = byLeg.get(ifindex)
      if (texts === undefined) byLeg.set(ifindex, [text])
      else texts.push(text)
    }
  }
  for (const [ifindex, texts] of byLeg) o.out.push({ kind: 'announce', texts, ifindex, isBrief })
}

/** Somebody else's answers may be in the caches of others: the unit is announced again, soon. */
export function shout(o: Ownership, unit: Unit, now: Millis): void {
  if (unit.own === undefined || unit.shoutMs !== undefined) return
  unit.shoutMs = Math.max(now + shoutMs, unit.shoutedMs + shoutGapMs)
  lookAt(o, unit, unit.shoutMs)
}

export function stepShout(o: Ownership, unit: Unit, now: Millis): void {
  // One that is silent announces when it answers again.
  if (unit.shoutMs === undefined || now < unit.shoutMs || unit.own?.hush !== undefined) return
  if (spokenLegs(o, unit).some((ifindex) => isDoubtful(o, ifindex, now))) {
    unit.shoutMs = now + controlMs
    return lookAt(o, unit, unit.shoutMs)
  }
  unit.shoutMs = undefined
  unit.shoutedMs = now
  announce(o, unit)
}

/** Nobody is heard there, and it is not known yet why: perhaps another owns what this node says it owns. */
function isDoubtful(o: Ownership, ifindex: number, now: Millis): boolean {
  const heardMs = o.hearing.get(ifindex)?.heardMs
  return heardMs !== undefined && now - heardMs > quietMs && now - heardMs < deafMs
}

/** This node is no longer the owner; `to` is, if known. */
export function release(
  o: Ownership, unit: Unit, why: { readonly cause: Cause; readonly to: string | undefined },
  now: Millis,
): void {
  const { own } = unit
  if (own === undefined) return
  const darkMs = own.hush === undefined ? undefined : now - own.silentMs
  unit.own = undefined
  unit.round = undefined
  if (why.cause === 'expired' || why.cause === 'contested') unit.lostMs = now
  setOwned(o, unit, false)
  setOwner(o, unit, why.to, now)
  restate(o, unit)
  remember(o, {
    atMs: now, unit: unit.key, kind: 'released', cause: why.cause, from: o.self, to: why.to, darkMs,
  })
}

function remember(o: Ownership, move: Move): void {
  o.history.push(move)
  if (o.history.length > historyLength) o.history.shift()
  const { kind, unit, cause, from, to, darkMs } = move
  note(o, { kind, unit, cause, from, to, darkMs })
}

/** Apart from moves: one that pauses again and again pushes none of these out. */
function rememberPause(o: Ownership, pause: Pause): void {
  o.pauses.push(pause)
  if (o.pauses.length > historyLength) o.pauses.shift()
}

/** Second and third answers to probes, and asks that were put off, that are due now. */
export function sendLater(o: Ownership, now: Millis): void {
  for (;;) {
    const entry = takeDue(o.later, now)
    if (entry === undefined) return
    const { unit, text, ifindex, frame } = entry
    if (text === '') {
      o.out.push({ kind: 'send', ifindex, frame, notAfterMs: Number.POSITIVE_INFINITY })
      continue
    }
    const isVoiced = unit.own !== undefined && unit.own.hush === undefined &&
      unit.mine.get(text)?.has(ifindex) === true && isSpoken(o, unit, ifindex)
    if (isVoiced && now < o.notAfterMs) {
      o.out.push({ kind: 'send', ifindex, frame, notAfterMs: o.notAfterMs })
    }
  }
}
