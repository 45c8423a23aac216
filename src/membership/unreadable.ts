/** Who sends what this member's secret does not open, and when that is news. */
import type { Millis } from '../net/model.ts'
import { rejoinMs } from './exchange.ts'

/** Mutable, owned by one ring. */
export interface Unreadable {
  /** When it was last heard, by address as text. */
  readonly heard: Map<string, Millis>
  /** Addresses that were told, and have not ended. */
  told: readonly string[]
}

/** Who ought to be met is tried again every `rejoinMs`, and answers: silence for twice as long is an end. */
export const unreadableMs: Millis = 2 * rejoinMs + 30_000

export function createUnreadable(): Unreadable {
  return { heard: new Map(), told: [] }
}

/** Heard again within this time it is worth no look. */
const againMs: Millis = 1_000

/**
 * It came from `from`; false where that changes nothing. Only the address of somebody who ought to be met is
 * kept: so strangers add nothing, however much they send.
 */
export function hearUnreadable(
  u: Unreadable, from: string, expected: ReadonlySet<string>, now: Millis,
): boolean {
  const heardMs = u.heard.get(from)
  if (!expected.has(from) || (heardMs !== undefined && now - heardMs < againMs)) return false
  u.heard.set(from, now)
  return true
}

/**
 * Addresses, sorted, of those that are heard and cannot be read. `living` are members: what they say is read,
 * and one more that cannot be is of somebody else who uses their address.
 */
export function listUnreadable(u: Unreadable, living: ReadonlySet<string>, now: Millis): readonly string[] {
  for (const [from, heardMs] of u.heard) if (now - heardMs >= unreadableMs) u.heard.delete(from)
  return [...u.heard.keys()].filter((from) => !living.has(from)).toSorted()
}

/** Addresses that are in `list` and have not been told; `hasEnded`: some were told, and none is left. */
export function unreadableNews(
  u: Unreadable, list: readonly string[],
): { readonly fresh: readonly string[]; readonly hasEnded: boolean } {
  const before = u.told
  u.told = list
  return {
    fresh: list.filter((from) => !before.includes(from)),
    hasEnded: before.length > 0 && list.length === 0,
  }
}
