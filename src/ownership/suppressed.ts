/** Claims behind a fabric with ARP suppression, which answers in the name of an owner that is dead. */
import { insertAt } from '../l2/schedule.ts'
import type { Millis } from '../net/model.ts'
import { postponeAnswered, stepAttempt } from './claim.ts'
import { postponeMs, probeGapMs, rankMs, roundMs, spokenMs, unicastCount } from './limits.ts'
import type { Voice } from './ongoing.ts'
import { take } from './own.ts'
import { isAliveNode, lookAt, type Ownership, type Unit } from './state.ts'
import { hashRank, mayOwn } from './units.ts'
import { confirmFrame, controlFrame } from './wire.ts'

/** Answers to the broadcast probe that are still under way must not count: it is asked a moment later. */
const askMs: Millis = 2 * probeGapMs

/**
 * The suspect's MAC answers a probe. Dead by membership: perhaps the fabric answers in its name,
 * so that MAC is asked by unicast, which a fabric passes on.
 */
export function suspectAnswers(o: Ownership, unit: Unit, voice: Voice, now: Millis): void {
  const { attempt } = unit
  if (attempt?.suspect === undefined) return
  // Membership may be mistaken about a node that is slow: one that says anything is no fabric.
  const isSpeaking = now - (o.spoken.get(attempt.suspect) ?? Number.NEGATIVE_INFINITY) < spokenMs
  if (isSpeaking || isAliveNode(o, attempt.suspect)) return postponeAnswered(o, unit, now)
  if (!o.legs.has(voice.ifindex)) return
  unit.round = undefined
  attempt.unicastMs = new Map()
  attempt.unicasts++
  askAlone(o, unit, voice, now)
}

/**
 * It answers this node while it is asked by unicast: that is its own answer, or one more to the probes, for
 * another address or on another leg, for which it is asked by unicast too.
 */
export function answersAsked(o: Ownership, unit: Unit, voice: Voice, now: Millis): void {
  const { attempt } = unit
  if (attempt?.unicastMs === undefined) return
  const askedMs = attempt.unicastMs.get(keyOf(voice))
  if (askedMs === undefined) return askAlone(o, unit, voice, now)
  if (voice.atMs < askedMs) return
  attempt.unicastMs = undefined
  attempt.unicasts = 0
  postponeAnswered(o, unit, now)
}

function keyOf({ ifindex, text }: Voice): string {
  return `${ifindex} ${text}`
}

function askAlone(o: Ownership, unit: Unit, voice: Voice, now: Millis): void {
  const { attempt } = unit
  const leg = o.legs.get(voice.ifindex)
  const address = unit.wish?.addresses.find(({ text }) => text === voice.text)?.address
  if (attempt?.unicastMs === undefined || leg === undefined || address === undefined) return
  attempt.unicastMs.set(keyOf(voice), now + askMs)
  attempt.startMs = now + roundMs
  lookAt(o, unit, attempt.startMs)
  const isOurs = o.peers.get(attempt.suspect ?? '')?.isCapable === true
  const frame = (isOurs ? confirmFrame : controlFrame)(leg, address, voice.mac)
  for (const atMs of [now + askMs, now + askMs + probeGapMs]) {
    insertAt(o.later, atMs, { unit, text: '', ifindex: voice.ifindex, frame })
  }
}

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
