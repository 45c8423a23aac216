/** What other nodes say of an owner that they do not hear: its pages are taken together. */
import { noMac } from '../l2/frame.ts'
import type { Millis } from '../net/model.ts'
import { orphan } from './claim.ts'
import type { Message } from './codec.ts'
import { ownLegsAt } from './fleet.ts'
import { graceMs, suspectMs } from './limits.ts'
import type { Cause } from './model.ts'
import { type BeatRecord, type Ownership, setTerm } from './state.ts'

/** By their number in a suspicion. */
export const causes = ['ownerSilent', 'ownerDeaf', 'ownerLeft'] as const satisfies readonly Cause[]

/**
 * Somebody else no longer gets beats from an owner. What follows is done in `endSuspicion`: a suspicion of
 * 2,000 units has 50 pages, and each of them would rank all units of the owner.
 */
export function onSuspicion(
  o: Ownership, { name, mac, base, digest, entries }: Message,
  at: { readonly atMs: Millis; readonly now: Millis },
): void {
  if (name === o.self) return
  const segments = mac === noMac ? undefined : ownLegsAt(o, name, mac)
  if (segments?.length === 0) return
  const units = entries.flatMap(({ unit: key, term }) => {
    const unit = o.units.get(key)
    if (unit?.wish === undefined || unit.own !== undefined) return []
    const isStale = unit.owner !== undefined && unit.owner !== name && term <= unit.term
    if (isStale) return []
    setTerm(o, unit, term)
    return [unit]
  })
  const cause: Cause = causes[digest] ?? 'ownerSilent'
  const lastBeatMs = at.atMs - base
  const { suspected: before } = o
  const isNext = before?.name === name && before.mac === mac && before.cause === cause &&
    Math.abs(before.lastBeatMs - lastBeatMs) <= graceMs
  if (isNext) {
    before.units.push(...units)
    before.lastBeatMs = Math.max(before.lastBeatMs, lastBeatMs)
    return
  }
  endSuspicion(o, at.now)
  o.suspected = { name, mac, segments, cause, units, lastBeatMs }
}

/** Takes this node's place in the queues: before anything else is read, and at the end of a step. */
export function endSuspicion(o: Ownership, now: Millis): void {
  const { suspected } = o
  if (suspected === undefined) return
  o.suspected = undefined
  const { name, segments, cause, units } = suspected
  const heardMs = latestOf(o.beats.get(name), segments)
  // This node holds a later L, so recent that there is nothing to suspect.
  if (heardMs !== undefined && now - heardMs < suspectMs) return
  const lastBeatMs = Math.max(suspected.lastBeatMs, heardMs ?? 0)
  orphan(o, [...new Set(units)], { suspect: name, cause, lastBeatMs, segments }, now)
}

function latestOf(
  record: BeatRecord | undefined, segments: readonly number[] | undefined,
): Millis | undefined {
  let latest: Millis | undefined
  for (const [ifindex, atMs] of record?.heard ?? []) {
    if (segments !== undefined && ifindex !== 0 && !segments.includes(ifindex)) continue
    latest = Math.max(latest ?? 0, atMs)
  }
  return latest
}
