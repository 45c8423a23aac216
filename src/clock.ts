/** The clock the shell reads; core gets instants as arguments. */
import type { Millis } from './net/model.ts'

export interface Clock {
  /** Monotonic milliseconds since an arbitrary start, with fractions. */
  now(): Millis
  /** Wall time, for logs and status only. */
  wall(): Date
}

/** Monotonic time of this process; wall time of the machine. */
export function systemClock(): Clock {
  return { now: () => performance.now(), wall: () => new Date() }
}
