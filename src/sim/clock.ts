/** Virtual time: a queue of what happens, ordered by instant and then by insertion. */
import { createSchedule, insertAt, nextDueMs, type Schedule, takeDue } from '../l2/schedule.ts'
import type { Millis } from '../net/model.ts'

export interface Clock {
  /** True time of the run, from 0. Machines have clocks of their own (src/sim/machine.ts). */
  nowMs: Millis
  readonly queue: Schedule<() => void>
  /** What has happened so far. */
  events: number
}

export function createClock(): Clock {
  return { nowMs: 0, queue: createSchedule(), events: 0 }
}

/** When runs begin: 2026-01-01. */
const firstMs: Millis = 1_767_225_600_000

/** What a wall clock shows that is so far from true time, in ms since 1970. */
export function wallTime({ nowMs }: Clock, offsetMs: Millis): Millis {
  return firstMs + nowMs + offsetMs
}

/** Lets `run` happen at `atMs`, or now if that is past. */
export function at(clock: Clock, atMs: Millis, run: () => void): void {
  insertAt(clock.queue, Math.max(atMs, clock.nowMs), run)
}

export function after(clock: Clock, delayMs: Millis, run: () => void): void {
  insertAt(clock.queue, clock.nowMs + delayMs, run)
}

/** Lets everything up to and including `untilMs` happen; the clock then shows it. */
export function runUntil(clock: Clock, untilMs: Millis): void {
  for (;;) {
    const next = nextDueMs(clock.queue)
    if (next === undefined || next > untilMs) break
    clock.nowMs = next
    clock.events++
    takeDue(clock.queue, next)?.()
  }
  clock.nowMs = untilMs
}
