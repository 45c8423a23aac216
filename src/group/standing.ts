/** When a host tells its log that its group stands still, and that it goes on. */
import type { Millis } from '../net/model.ts'
import type { CouncilView } from './vote.ts'

/** What passes sooner is a start or an election, and no news. */
const lastMs: Millis = 3_000

/** Mutable; owned by the shell, changed by `standingNews` alone. */
export interface Standing {
  /** The standstill as it is now, and since when; '' = none. */
  now: string
  sinceMs: Millis
  /** The one that was told last and has not ended. */
  told: string
}

export function createStanding(): Standing {
  return { now: '', sinceMs: 0, told: '' }
}

/** A standstill is told once, and again when its reason or who is missing changes; then its end. */
export function standingNews(s: Standing, view: CouncilView, now: Millis): 'standstill' | 'over' | undefined {
  const { standstill, heard, members, missing, foreign } = view
  const key = standstill === undefined ? '' : JSON.stringify([standstill, heard, members, missing, foreign])
  if (key !== s.now) {
    s.now = key
    s.sinceMs = now
  }
  if (key === s.told || (key !== '' && now - s.sinceMs < lastMs)) return undefined
  s.told = key
  return key === '' ? 'over' : 'standstill'
}
