/** Decides how long a process that is one of many rests between its writes: a busy server serves others. */
import type { Millis } from '../net/model.ts'

/** Where every write is slow, that is the new measure after some two hundred of them. */
const forgetting = 1.02
/** A clock says 0 where a write took less than its step. */
const leastMs: Millis = 1
/** Whatever the server takes: two writes a second are always made. */
const maxRestMs: Millis = 500

/** Told how long each write took, says how long to rest after it. */
export type Pace = (tookMs: Millis) => Millis

/**
 * The rest after a write: as long as the write where the server is idle, and the more the longer
 * others keep it (rest = took² / quickest of late).
 */
export function createPace(): Pace {
  let quickestMs = Number.POSITIVE_INFINITY
  return (tookMs) => {
    const took = Math.max(leastMs, tookMs)
    quickestMs = Math.min(took, quickestMs * forgetting)
    return Math.min(maxRestMs, took * took / quickestMs)
  }
}
