/** Probe rounds: five probes of a unit's addresses, 15 ms apart, and what their silence is worth. */
import type { Millis } from '../net/model.ts'
import { isHeardOn, sendControls } from './hearing.ts'
import { lineMs, probeCount, probeGapMs, roundMs } from './limits.ts'
import { reserveStart } from './line.ts'
import type { Round } from './ongoing.ts'
import { lookAt, type Ownership, type Unit } from './state.ts'
import { probeFrames } from './wire.ts'

/** Starts a round at `atMs`, or as soon after as the number of rounds allows; until then it is in line. */
export function startRound(
  o: Ownership, unit: Unit, purpose: Round['purpose'], asked: {
    readonly atMs: Millis; readonly legs: ReadonlySet<number>
  },
): void {
  const { atMs, legs } = asked
  const startMs = reserveStart(o, unit, purpose, atMs)
  const isInLine = startMs === undefined
  unit.round = { purpose, startMs: startMs ?? Number.POSITIVE_INFINITY, legs, sent: 0, isInLine }
  lookAt(o, unit, startMs ?? atMs + lineMs)
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
  if (round === undefined || round.isInLine) return undefined
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
