/** Claims: who waits for how long before it probes for a unit without owner, and what delays it. */
import type { Millis } from '../net/model.ts'
import { isForeign } from './codec.ts'
import {
  fenceMs, postponeMaxMs, postponeMs, rankMs, reportAfterMs, slowMs, staleMs, suspectMs, unheardRetryMs,
} from './limits.ts'
import type { Cause, Postponement } from './model.ts'
import { isAliveNode, lookAt, note, type Ownership, setOwner, touch, type Unit } from './state.ts'
import { isBeaten } from './lists.ts'
import { createAttempt } from './ongoing.ts'
import { startRound } from './round.ts'
import { jittered, strainOf } from './strain.ts'
import { isNominee, mayOwn, ranksOf } from './units.ts'

export interface Loss {
  readonly suspect: string | undefined
  readonly cause: Cause
  /** L */
  readonly lastBeatMs: Millis
  /** Nobody has seen the owner fall silent then: it is late enough to claim, and no start of dark time. */
  readonly isGuess?: boolean
  /** Own legs on which it fell silent; undefined = everywhere. */
  readonly segments: readonly number[] | undefined
  /** Who is next for each of the units, where that is known. */
  readonly ranks?: ReadonlyMap<Unit, readonly string[]>
}

/** Units whose owner is silent: this node takes its place in the queue of each. */
export function orphan(o: Ownership, units: readonly Unit[], loss: Loss, now: Millis): void {
  const able = units.filter((unit) => unit.own === undefined && mayOwn(o, unit, now))
  if (able.length === 0) return
  const lost = new Set(units)
  for (const unit of loss.suspect === undefined ? [] : o.units.values()) {
    if (unit.owner === loss.suspect && unit.wish !== undefined) lost.add(unit)
  }
  // All are ranked together: known is what was ranked as the same whole.
  const isKnown = loss.ranks?.size === lost.size
  const ranks = (isKnown ? loss.ranks : undefined) ?? ranksOf(o, [...lost], loss.suspect, now)
  for (const unit of able) {
    const rank = ranks.get(unit)?.indexOf(o.self) ?? -1
    if (rank >= 0) attempt(o, unit, loss, { rank, now })
  }
}

/** Sets, or corrects, one attempt: the latest L counts. */
export function attempt(
  o: Ownership, unit: Unit, loss: Loss, at: { readonly rank: number; readonly now: Millis },
): void {
  const { suspect, cause, lastBeatMs } = loss
  // Whoever cannot keep its own beats lets others claim first.
  const strainMs = jittered(o, unit, strainOf(o, at.now))
  const startMs = Math.max(at.now, lastBeatMs + fenceMs + rankMs * at.rank) + strainMs
  const known = unit.attempt
  const segments = loss.segments === undefined ? undefined : new Set(loss.segments)
  if (known !== undefined && known.suspect === suspect) {
    for (const ifindex of known.segments ?? []) segments?.add(ifindex)
    known.toldMs = at.now
    const isLater = lastBeatMs > known.lastBeatMs
    unit.attempt = { ...known, segments, lastBeatMs: Math.max(lastBeatMs, known.lastBeatMs) }
    // Waiting, also in line or after an answer: only a later L moves it. Begun: nothing does.
    if (!isLater || unit.round?.isInLine === false) return
    unit.attempt.startMs = Math.max(startMs, known.told === undefined ? 0 : known.startMs)
  } else {
    unit.round = undefined
    unit.attempt = createAttempt({ suspect, cause, lastBeatMs, startMs, segments }, at.now)
  }
  // Where no owner was known nothing tells since when it was dark, or whether it ever was not.
  if (suspect !== undefined) unit.darkMs ??= loss.isGuess === true ? heardOf(o, unit, suspect) : lastBeatMs
  lookAt(o, unit, unit.attempt.startMs)
}

/** When the last beat for the unit came here, on any leg; undefined = none has. */
function heardOf(o: Ownership, { key }: Unit, owner: string | undefined): Millis | undefined {
  const record = o.beats.get(owner ?? '')
  if (record?.list.has(key) !== true || record.heard.size === 0) return undefined
  return Math.max(...record.heard.values())
}

/** The turn of an attempt: starts its probe round if it still may. */
export function stepAttempt(o: Ownership, unit: Unit, now: Millis): void {
  const { attempt: waiting } = unit
  if (waiting === undefined || unit.round !== undefined || unit.own !== undefined) return
  if (now < waiting.startMs) return lookAt(o, unit, waiting.startMs)
  if (!mayOwn(o, unit, now)) {
    unit.attempt = undefined
    return
  }
  // It answered, and nobody goes on saying that it does not beat.
  if (waiting.backoffMs > 0 && now - waiting.toldMs > staleMs) {
    unit.attempt = undefined
    unit.darkMs = undefined
    return
  }
  if (isContested(o, unit, waiting.suspect, now)) {
    return postpone(o, unit, { reason: 'contested', waitMs: slowMs }, now)
  }
  if (isBeating(o, unit, now)) return
  const legs = [...unit.legs].filter((ifindex) =>
    (waiting.segments === undefined || waiting.segments.has(ifindex)) &&
    !unit.legs.has(o.twins.get(ifindex) ?? -1)
  )
  startRound(o, unit, 'claim', { atMs: now, legs: new Set(legs.length > 0 ? legs : unit.legs) })
}

/** Its owner beats, and says that a foreign host answers for the unit. */
function isContested(
  o: Ownership, unit: Unit, suspect: string | undefined, now: Millis,
): boolean {
  if (now < unit.contestedUntilMs) return true
  const record = o.beats.get(suspect ?? unit.owner ?? '')
  const flags = record?.list.get(unit.key)?.flags ?? 0
  return (flags & isForeign) !== 0 && [...record?.heard.values() ?? []].some((atMs) =>
    now - atMs < slowMs
  )
}

/** Beats have come after all: the attempt waits for the fence of the last, or is over. */
export function isBeating(o: Ownership, unit: Unit, now: Millis): boolean {
  const { attempt: waiting } = unit
  const beatMs = waiting === undefined ? undefined : lastBeatOf(o, unit, waiting.suspect)
  if (waiting === undefined || beatMs === undefined || beatMs <= waiting.lastBeatMs) return false
  unit.round = undefined
  if (now - beatMs < suspectMs) {
    unit.attempt = undefined
    unit.darkMs = undefined
    return true
  }
  waiting.lastBeatMs = beatMs
  waiting.startMs = Math.max(now + 1, beatMs + fenceMs)
  lookAt(o, unit, waiting.startMs)
  return true
}

/** The last beat for the unit on the segments of the attempt, if this node gets beats at all. */
function lastBeatOf(
  o: Ownership, unit: Unit, suspect: string | undefined,
): Millis | undefined {
  const record = suspect === undefined ? undefined : o.beats.get(suspect)
  if (record?.list.has(unit.key) !== true) return undefined
  const { segments } = unit.attempt ?? {}
  let latest: Millis | undefined
  for (const [ifindex, atMs] of record.heard) {
    if (segments !== undefined && ifindex !== 0 && !segments.has(ifindex)) continue
    latest = Math.max(latest ?? 0, atMs)
  }
  return latest
}

export interface Wait {
  readonly reason: Postponement
  readonly waitMs: Millis
}

/** The claim waits; told once for each reason, and an answering owner only after 5 s. */
export function postpone(
  o: Ownership, unit: Unit, { reason, waitMs }: Wait, now: Millis,
): void {
  const { attempt: waiting } = unit
  unit.round = undefined
  if (waiting === undefined) return
  waiting.startMs = now + waitMs
  lookAt(o, unit, waiting.startMs)
  const isEarly = reason === 'ownerAnswers' && now - waiting.sinceMs < reportAfterMs
  if (waiting.told === reason || isEarly) return
  waiting.told = reason
  note(o, { kind: 'postponed', unit: unit.key, reason })
}

/** The suspect answered without beating: again after F, then more and more rarely. */
export function postponeAnswered(o: Ownership, unit: Unit, now: Millis): void {
  const { attempt: waiting } = unit
  if (waiting === undefined) return
  // One that has no beats says nothing when it stops: it is asked often at first.
  const isStranger = o.peers.get(waiting.suspect ?? '')?.isCapable === false
  const mostMs = isStranger && now - waiting.sinceMs < reportAfterMs ? postponeMs : postponeMaxMs
  const waitMs = Math.min(mostMs, waiting.backoffMs * 2 || postponeMs)
  waiting.backoffMs = waitMs
  // It answers for now; if this was its last answer, it is dark since.
  unit.darkMs = now
  postpone(o, unit, { reason: 'ownerAnswers', waitMs }, now)
}

/** The round was silent, but perhaps only because nobody hears this node. */
export function postponeUnheard(o: Ownership, unit: Unit, now: Millis): void {
  postpone(o, unit, { reason: 'segmentUnheard', waitMs: unheardRetryMs }, now)
}

/** The attempt is over: somebody owns the unit. */
export function endAttempt(o: Ownership, unit: Unit, owner: string, now: Millis): void {
  const wasWaiting = unit.attempt !== undefined
  unit.attempt = undefined
  if (unit.round?.purpose === 'claim') unit.round = undefined
  setOwner(o, unit, owner, now)
  unit.darkMs = undefined
  if (wasWaiting && owner !== o.self) touch(o, unit)
}

/** A node that is gone by membership: its units are orphans, its fence has long ended. */
export function orphanDead(o: Ownership, now: Millis): void {
  // Owners are few, and counted: as long as all of them live no unit is looked at.
  if ([...o.weights.keys()].every((owner) => isAliveNode(o, owner))) return
  const loss = { cause: 'ownerSilent', lastBeatMs: now - fenceMs, isGuess: true } as const
  orphanOf(o, (_, owner) => !isAliveNode(o, owner), loss, now)
}

/** Units whose owner, as far as this node knows, may not own them any more: it may have missed the end. */
export function orphanStray(o: Ownership, now: Millis): void {
  const isStray = (unit: Unit, owner: string): boolean => owner !== o.self && unit.pick === undefined &&
    !isNominee(unit, owner) && mayOwn(o, unit, now)
  orphanOf(o, isStray, { cause: 'ownerLeft', lastBeatMs: now, isGuess: true }, now)
}

/** Units that nobody here cares for yet and whose owner is such, by owner. */
function orphanOf(
  o: Ownership, isSuch: (unit: Unit, owner: string) => boolean,
  loss: Pick<Loss, 'cause' | 'lastBeatMs' | 'isGuess'>, now: Millis,
): void {
  const byOwner = new Map<string, Unit[]>()
  for (const unit of o.units.values()) {
    const { owner } = unit
    if (unit.wish === undefined || owner === undefined || !isSuch(unit, owner)) continue
    if (unit.attempt !== undefined || unit.own !== undefined) continue
    // Membership was mistaken, or has not seen yet that it is back.
    if (isBeaten(o, unit, owner, now)) continue
    const list = byOwner.get(owner)
    if (list === undefined) byOwner.set(owner, [unit])
    else list.push(unit)
  }
  for (const [suspect, units] of byOwner) orphan(o, units, { ...loss, suspect, segments: undefined }, now)
}

/**
 * Units that this node may own since now, and their owner may not any more: it has let them go and told its
 * monitors, who need not be those that may, or hands them over. Whoever may asks the wire.
 */
export function orphanVacant(o: Ownership, vacant: readonly Unit[], now: Millis): void {
  const open = vacant.filter((unit) => unit.attempt === undefined && unit.pick === undefined)
  for (const [suspect, units] of Map.groupBy(open, ({ owner }) => owner)) {
    const cause: Cause = suspect === undefined ? 'placed' : 'ownerLeft'
    // One that nobody has owned may be placed, and announced at once, where it is seen only now.
    const [unowned, owned] = [units.filter(isNeverOwned), units.filter((unit) => !isNeverOwned(unit))]
    orphan(o, unowned, { suspect, cause, lastBeatMs: now, segments: undefined }, now)
    const loss = { suspect, cause, lastBeatMs: now - fenceMs, segments: undefined, isGuess: true }
    orphan(o, owned, loss, now)
  }
}

function isNeverOwned({ owner, term }: Unit): boolean {
  return owner === undefined && term === 0
}
