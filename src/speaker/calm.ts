/** Puts off what a speaker writes of itself while many addresses come and go: allocations go first. */
import type { Job, Rank, Writer } from '../kube/writer.ts'
import type { Holding } from '../l2/demand.ts'
import { changesOf } from '../l2/span.ts'
import type { Millis } from '../net/model.ts'

/** How much has changed lately, as a bucket that leaks. */
export interface Stir {
  readonly level: number
  readonly atMs: Millis
  /** Until then it counts as a burst. */
  readonly untilMs: Millis
}

export const still: Stir = { level: 0, atMs: 0, untilMs: 0 }

/** So many changes at once, and so many a second after that, are no burst. */
const quietChanges = 30
const quietPerMs = 0.01
/** A burst ends after this time without one: the controller tells of what it has given meanwhile. */
const calmMs: Millis = 2_000

/** The same after `changes` more at `now`. */
export function stirred({ level, atMs, untilMs }: Stir, changes: number, now: Millis): Stir {
  const left = Math.max(0, level - (now - atMs) * quietPerMs) + changes
  const isBurst = left > quietChanges
  return { level: Math.min(left, 2 * quietChanges), atMs: now, untilMs: isBurst ? now + calmMs : untilMs }
}

/**
 * How many addresses of Services are others than before: one that came, went or took the place of another
 * of the same Service counts once, one whose Service has changed otherwise does not.
 */
export function countChanges(before: readonly Holding[], after: readonly Holding[]): number {
  // What has not changed is the same value: only the rest is looked at closely.
  const changes = changesOf(before, after)
  const gone = new Map(changes.gone.map((holding) => [keyOf(holding), holding]))
  const come = changes.come.filter((holding) => !gone.delete(keyOf(holding)))
  const replaced = new Map<string, number>()
  for (const { service } of gone.values()) replaced.set(service.key, (replaced.get(service.key) ?? 0) + 1)
  let count = gone.size
  for (const { service } of come) {
    const left = replaced.get(service.key) ?? 0
    if (left === 0) count += 1
    else replaced.set(service.key, left - 1)
  }
  return count
}

function keyOf({ service, text }: Holding): string {
  return `${service.key} ${text}`
}

/** During a burst one job goes in this time, so that the controller sees that this speaker confirms. */
const trickleMs: Millis = 400
/** However long a burst goes on, nothing waits longer: of 10,000 Services the first are told by then. */
const maxHeldMs: Millis = 10_000

export interface Calm extends Disposable {
  /** So many addresses came or went: see `countChanges`. */
  stir(changes: number): void
  /** Many come or go just now. */
  isBurst(): boolean
  /** The writer, as it is given to those whose jobs of this rank and the less urgent ones can wait. */
  behind(rank: Rank): Writer
}

export interface CalmOptions {
  readonly writer: Writer
  readonly now: () => Millis
  /** Calls back after this time, once. */
  readonly later: (act: () => void, afterMs: Millis) => Disposable
}

/** Nothing is held before something has stirred. */
export function createCalm({ writer, now, later }: CalmOptions): Calm {
  let stir = still
  const held = new Map<string, Job>()
  /** Since when something waits. */
  let sinceMs = 0
  let timer: Disposable | undefined
  const look = (): void => {
    timer = undefined
    const isOver = now() >= stir.untilMs || now() - sinceMs >= maxHeldMs
    for (const job of isOver ? held.values() : firstOf(held)) {
      held.delete(job.key)
      writer.put(job)
    }
    if (held.size > 0) timer = later(look, trickleMs)
  }
  const hold = (job: Job): void => {
    if (held.size === 0) sinceMs = now()
    held.set(job.key, job)
    timer ??= later(look, trickleMs)
  }
  return {
    stir: (changes) => {
      if (changes > 0) stir = stirred(stir, changes, now())
    },
    isBurst: () => now() < stir.untilMs,
    behind: (rank) => ({
      put: (job) => {
        const isHeld = held.has(job.key) || (now() < stir.untilMs && job.rank >= rank)
        if (isHeld) hold(job)
        else writer.put(job)
      },
      clear: () => {
        held.clear()
        writer.clear()
      },
      get pending() {
        return held.size + writer.pending
      },
      idle: () => writer.idle(),
      get trouble() {
        return writer.trouble
      },
      [Symbol.asyncDispose]: async () => held.clear(),
    }),
    [Symbol.dispose]: () => {
      timer?.[Symbol.dispose]()
      held.clear()
    },
  }
}

/** The oldest of the most urgent. */
function firstOf(held: ReadonlyMap<string, Job>): readonly Job[] {
  let first: Job | undefined
  for (const job of held.values()) if (first === undefined || job.rank < first.rank) first = job
  return first === undefined ? [] : [first]
}
