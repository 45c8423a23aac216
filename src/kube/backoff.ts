/** How long to wait before the next write: after a failure, and out of courtesy. */
import type { Millis } from '../net/model.ts'

export interface Backoff {
  readonly firstMs: Millis
  readonly maxMs: Millis
}

/**
 * Wait before attempt number `failures + 1` (at least one has failed). `random` in 0..1 takes off
 * up to half, so that many clients of one server do not return at the same instant.
 */
export function backoffMs({ firstMs, maxMs }: Backoff, failures: number, random: number): Millis {
  const fullMs = Math.min(maxMs, firstMs * 2 ** Math.min(Math.max(0, failures - 1), 30))
  return fullMs * (1 - random / 2)
}

const maxRestMs: Millis = 250
/** The most that a busy server multiplies a rest by. */
const maxPatience = 5
/** What a write takes at best is forgotten by so much with every write. */
const leastGrowth = 1.02

/** Two places make 30 writes a second also on a busy server: the last of a hundred is told within 5 s. */
const maxLastRestMs: Millis = 50

/** How long a place of the last rank rests: as one of many that write, but not for long. */
export function lastRestMs(tookMs: Millis, leastMs: Millis): Millis {
  return Math.min(maxLastRestMs, patientRest(tookMs, leastMs).restMs)
}

/** How long to rest after a write, and what a write takes when the server has nothing else to do. */
export interface Patience {
  readonly restMs: Millis
  readonly leastMs: Millis
}

/**
 * As long as the write took; where it took longer than at best, the server is busy with others, and the
 * rest is longer by that factor as well. `leastMs` = what the last call returned, at first infinite.
 */
export function patientRest(tookMs: Millis, leastMs: Millis): Patience {
  const least = Math.min(tookMs, leastMs * leastGrowth)
  const factor = Math.min(maxPatience, Math.max(1, tookMs / Math.max(1, least)))
  return { restMs: Math.min(maxRestMs, tookMs * factor), leastMs: least }
}
