/** Probe rounds: five probes of a unit's addresses, 15 ms apart, and what their silence is worth. */
import type { Millis } from '../net/model.ts'
import { isHeardOn, sendControls } from './hearing.ts'
import {
  creditPerMs, lineMs, probeCount, probeGapMs, roundMs, startCredit, startsPerMs,
} from './limits.ts'
import type { Round } from './ongoing.ts'
import { lookAt, type Ownership, type Unit } from './state.ts'
import { jittered, slownessOf } from './strain.ts'
import { probeFrames } from './wire.ts'
import { weightOf } from './units.ts'

/** Starts a round at `atMs`, or as soon after as the number of rounds allows. */
export function startRound(
  o: Ownership, unit: Unit, purpose: Round['purpose'], asked: {
    readonly atMs: Millis; readonly legs: ReadonlySet<number>
  },
): void {
  const { atMs, legs } = asked
  const reservedMs = reserveStart(o, atMs, Math.max(1, weightOf(unit)))
  const startMs = reservedMs ?? atMs + jittered(o, unit, lineMs)
  unit.round = { purpose, startMs, legs, sent: 0, isInLine: reservedMs === undefined }
  lookAt(o, unit, startMs)
}

/**
 * 1,000 addresses that are lost at one instant start within 84 ms, a bounded number in each; what goes
 * beyond waits for credit, so that nobody's probes can keep others from their beats. Slow nodes have less
 * of it. undefined: there is none soon; what is called off while it waits has cost nothing.
 */
function reserveStart(o: Ownership, atMs: Millis, weight: number): Millis | undefined {
  const { starts } = o
  const slowness = slownessOf(o, atMs)
  const perMs = creditPerMs / 2 ** slowness
  const gainMs = Math.max(0, atMs - starts.atMs)
  starts.atMs = Math.max(starts.atMs, atMs)
  starts.credit = Math.min(startCredit / 4 ** slowness, starts.credit + gainMs * perMs)
  const waitMs = Math.max(0, weight - starts.credit) / perMs
  if (waitMs > lineMs && starts.credit < 0) return undefined
  starts.credit -= weight
  const startMs = Math.max(atMs + waitMs, starts.nextMs)
  starts.nextMs = startMs + weight / startsPerMs
  // Whole milliseconds, so that those of one instant are one wake.
  return Math.max(atMs, Math.floor(startMs))
}

/** A round that is over, and the legs on which nobody answered and this node is heard. */
export interface Ended {
  readonly round: Round
  readonly heard: ReadonlySet<number>
}

/**
 * Sends what is due. When the round is over and nobody has answered: the legs on which this node
 * is heard, so that silence means something there.
 */
export function stepRound(
  o: Ownership, unit: Unit, now: Millis,
): Ended | undefined {
  const { round } = unit
  if (round === undefined) return undefined
  if (round.isInLine) {
    if (now < round.startMs) lookAt(o, unit, round.startMs)
    else startRound(o, unit, round.purpose, { atMs: now, legs: round.legs })
    return undefined
  }
  const suspect = round.purpose === 'claim' ? unit.attempt?.suspect : undefined
  const dueMs = round.startMs + round.sent * probeGapMs
  if (round.sent < probeCount && now >= dueMs) {
    if (now > dueMs + probeGapMs) shift(unit, now - dueMs)
    for (const ifindex of round.legs) {
      sendProbes(o, unit, ifindex)
      sendControls(o, ifindex, now, suspect)
    }
    round.sent++
  }
  const at = unit.round ?? round
  const nextMs = at.startMs + (at.sent < probeCount ? at.sent * probeGapMs : roundMs)
  if (now < nextMs || at.sent < probeCount) {
    lookAt(o, unit, nextMs)
    return undefined
  }
  unit.round = undefined
  // A leg that was lost meanwhile has heard nothing.
  const heard = [...at.legs].filter((ifindex) =>
    o.legs.has(ifindex) && isHeardOn(o, ifindex, at.startMs, suspect)
  )
  return { round: at, heard: new Set(heard) }
}

/** A late loop does not send probes back to back: the rest of the round moves. */
function shift(unit: Unit, byMs: Millis): void {
  const { round } = unit
  if (round !== undefined) unit.round = { ...round, startMs: round.startMs + byMs }
}

function sendProbes(o: Ownership, unit: Unit, ifindex: number): void {
  const leg = o.legs.get(ifindex)
  if (leg === undefined) return
  for (const { address, text } of unit.wish?.addresses ?? []) {
    if (unit.mine.get(text)?.has(ifindex) !== true) continue
    for (const frame of probeFrames(leg, address)) {
      o.out.push({ kind: 'send', ifindex, frame, notAfterMs: Number.POSITIVE_INFINITY })
    }
  }
}
