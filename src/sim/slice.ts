/** When a process with a share of a processor runs, and until when it has answered what it was asked. */
import type { Millis } from '../net/model.ts'

/** A CPU quota: it runs during the first `runMs` of each `periodMs`. */
export interface Quota {
  readonly fromMs: Millis
  readonly periodMs: Millis
  readonly runMs: Millis
  /** It holds no more, and the process has not run since. */
  readonly isOver: boolean
}

/** How long a process that sleeps takes to run. */
export const pokeMs = { from: 0.02, to: 0.3 }

/** When a process runs that is ready at `readyMs`. */
export function sliceAt(quota: Quota | undefined, readyMs: Millis): Millis {
  if (quota === undefined || quota.isOver || readyMs % quota.periodMs <= quota.runMs) return readyMs
  return (Math.floor(readyMs / quota.periodMs) + 1) * quota.periodMs
}

/**
 * The latest instant at which an ask that came then has been answered by now, if this is the process's
 * first turn since it was last let run: what it reads now, it reads before it answers anything.
 */
export function answeredUntil(quota: Quota | undefined, nowMs: Millis): Millis {
  if (quota === undefined) return nowMs
  const { fromMs, periodMs, runMs } = quota
  const phaseMs = nowMs % periodMs
  if (phaseMs > runMs) return Math.max(fromMs, nowMs - phaseMs + runMs)
  return phaseMs > pokeMs.to ? nowMs : Math.max(fromMs, nowMs - phaseMs - periodMs + runMs)
}
