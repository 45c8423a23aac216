/** Decides how long silence must last before it is told: a speaker with much to say is not absent. */
import type { Millis } from '../net/model.ts'

/** A speaker needs some time to take over and to say so. */
export const silentGraceMs: Millis = 2_500
/** What it says of the wire has lasted a second by then; its successor may be about to speak. */
export const toldGraceMs: Millis = 1_000
/** One that goes on confirming Services is waited for, */
const confirmingMs: Millis = 1_500
/**
 * but for each that waits for its word no longer than this: of ten, the reason is told within 5 s. In a
 * burst a speaker confirms one in 400 ms and all soon after it (`calm.ts`), where it has ten seconds at most.
 */
const perServiceMs: Millis = 250

/** How a node's speaker gets on with confirming what it announces. */
export interface Progress {
  /** Services it has confirmed. */
  readonly confirmed: number
  /** When that number last rose; −∞ = not since we look. */
  readonly roseAtMs: Millis
}

/** What is known of each node, brought up to date. */
export function followProgress(
  before: ReadonlyMap<string, Progress>, confirmed: ReadonlyMap<string, number>, now: Millis,
): ReadonlyMap<string, Progress> {
  return new Map([...confirmed].map(([node, count]) => {
    const known = before.get(node)
    const hasRisen = known !== undefined && count > known.confirmed
    const roseAtMs = hasRisen ? now : known?.roseAtMs ?? Number.NEGATIVE_INFINITY
    return [node, { confirmed: count, roseAtMs }]
  }))
}

/**
 * When the silence of a Service is told that is announced according to plan, but not confirmed.
 * `waiting` = how many waited for the same node, at most, since this one does: the last of a crowd has
 * waited for all of it.
 */
export function confirmationDue(sinceMs: Millis, roseAtMs: Millis, waiting: number): Millis {
  const dueMs = sinceMs + silentGraceMs
  return Math.max(dueMs, Math.min(roseAtMs + confirmingMs, dueMs + waiting * perServiceMs))
}
