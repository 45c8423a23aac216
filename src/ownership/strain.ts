/** Overload: how long a node waits whose own deadlines pass again and again. */
import type { Millis } from '../net/model.ts'
import { digestOf } from './codec.ts'
import {
  calmMs, expiryMs, expiryWaitMaxMs, expiryWaitMs, lateCalmMs, lateMax, patienceMs, pauseCount,
  strainUnits,
} from './limits.ts'
import type { Event } from './model.ts'
import type { Ownership, Unit } from './state.ts'

/** The deadline of this node's rights has passed: it stood still, or was kept from its beats. */
export function countExpiry(o: Ownership, now: Millis): void {
  const { count, lastMs } = o.expiries
  o.expiries = { count: now - lastMs < expiryMs ? count + 1 : 1, lastMs: now }
}

/** This node's loop was late. Each time its probes become fewer: what it sends, all others have to read. */
export function countLate(o: Ownership, now: Millis): void {
  o.late = { count: Math.min(lateMax, lateCount(o, now) + 1), lastMs: now }
}

/**
 * Notes when what is read may have lain in a socket for longer than others wait: the loop is late, or frames
 * have waited. Messages and worlds do not tell: worlds have no stamp, and messages that of their reading
 * where the runtime does not give away its socket (Deno).
 */
export function noteQueue(o: Ownership, event: Event, now: Millis): void {
  const agedMs = now - patienceMs
  const isOld = event.kind === 'frames' && event.frames.some(({ receivedAtMs }) => receivedAtMs < agedMs)
  if (isOld || o.wakeMs < agedMs) o.queuedMs = now
}

/** It has just gone on after it stood still: what it learns now may be old, and another's by now. */
export function isLate({ queuedMs }: Ownership, now: Millis): boolean {
  return now - queuedMs < patienceMs
}

function lateCount({ late: { count, lastMs } }: Ownership, now: Millis): number {
  return Math.max(0, count - Math.floor((now - lastMs) / lateCalmMs))
}

/** By how many halves this node's probes are to be fewer: none after it was late once. */
export function slownessOf(o: Ownership, now: Millis): number {
  return Math.max(0, lateCount(o, now) - 1)
}

/** What this node's probes and claims wait: nothing after one expiry, then more and more, in ms. */
export function strainOf(o: Ownership, now: Millis): Millis {
  const { count, lastMs } = o.expiries
  if (count < 2 || now - lastMs >= expiryMs) return 0
  // The probes of a few units are no load for anybody.
  const share = Math.min(1, o.units.size / strainUnits)
  return share * Math.min(expiryWaitMaxMs, expiryWaitMs * 2 ** (count - 2))
}

/** Again and again: others may have what this node cannot keep. */
export function isFailing(o: Ownership): boolean {
  return o.expiries.count > pauseCount
}

/** Lately this node stood still: what need not move stays, since a hand-over would have two voices. */
export function isStrained(o: Ownership, now: Millis): boolean {
  return now - o.expiries.lastMs < expiryMs || now - o.stalledMs < calmMs
}

/** Between half and all of a wait, another part for each node and unit: they are not to meet again. */
export function jittered(o: Ownership, unit: Unit, waitMs: Millis): Millis {
  if (waitMs === 0) return 0
  const part = digestOf(`${o.self} ${unit.key} ${o.expiries.count}`) % 1_000 / 1_000
  return Math.round(waitMs * (1 + part) / 2)
}
