/** A queue of things due at an instant: the earliest first, equal instants in order of insertion. */
import type { Millis } from '../net/model.ts'

interface Entry<T> {
  readonly atMs: Millis
  readonly order: number
  readonly item: T
}

/** A binary heap; mutable, owned by one caller. */
export interface Schedule<T> {
  readonly entries: Entry<T>[]
  inserted: number
}

export function createSchedule<T>(): Schedule<T> {
  return { entries: [], inserted: 0 }
}

/** The instant of the earliest entry; undefined when there is none. */
export function nextDueMs<T>(schedule: Schedule<T>): Millis | undefined {
  return schedule.entries[0]?.atMs
}

/** Adds `item`, due at `atMs`. O(log n). */
export function insertAt<T>(schedule: Schedule<T>, atMs: Millis, item: T): void {
  const { entries } = schedule
  const entry = { atMs, order: schedule.inserted++, item }
  let at = entries.push(entry) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    const above = entries[parent]
    if (above === undefined || !isBefore(entry, above)) break
    entries[at] = above
    at = parent
  }
  entries[at] = entry
}

/** Removes and returns the earliest item that is due at `now`; undefined when none is. O(log n). */
export function takeDue<T>(schedule: Schedule<T>, now: Millis): T | undefined {
  const { entries } = schedule
  const first = entries[0]
  if (first === undefined || first.atMs > now) return undefined
  const last = entries.pop()
  if (last !== undefined && entries.length > 0) sinkFromTop(entries, last)
  return first.item
}

function sinkFromTop<T>(entries: Entry<T>[], entry: Entry<T>): void {
  let at = 0
  for (;;) {
    const left = entries[2 * at + 1]
    const right = entries[2 * at + 2]
    const isRight = left !== undefined && right !== undefined && isBefore(right, left)
    const child = isRight ? right : left
    if (child === undefined || !isBefore(child, entry)) break
    entries[at] = child
    at = 2 * at + (isRight ? 2 : 1)
  }
  entries[at] = entry
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
