/** Placement of what nobody owns: one node places each unit, one node is told, the others wait. */
import type { Millis } from '../net/model.ts'
import { orphan, attempt } from './claim.ts'
import { type Entry, entryOf, isFresh, type Message, pagesOf } from './codec.ts'
import { isComplete, isHash } from './fleet.ts'
import { patienceMs, pickMs, provisionalMs, slowMs, startMs } from './limits.ts'
import { mail, tell } from './mail.ts'
import type { Cause } from './model.ts'
import { take } from './own.ts'
import { startRound } from './round.ts'
import { createAttempt, type EarlyPick } from './ongoing.ts'
import { lookAt, type Ownership, setOwner, setTerm, type Unit } from './state.ts'
import { isLate } from './strain.ts'
import { hashRank, isEnding, isOthers, loadOf, loadRank, mayOwn, weightOf } from './units.ts'

/** Flag of a pick: it may move once in its first minute. */
const isProvisional = 16
/** Flag of a pick: the node owned it before everything was restarted. */
const isRestored = 32

/** Whether the first placement may be made: all have joined, or 3 s have passed and somebody is heard. */
export function hasStarted(o: Ownership, now: Millis): boolean {
  if (!o.isStarting) return true
  const { world } = o
  if (world === undefined) return false
  const isKnown = [...o.units.values()].some(({ owner }) => owner !== undefined && owner !== o.self)
  if (isComplete(o) || isKnown) return true
  return now >= o.startedMs + startMs && !isUnheard(o, now)
}

/**
 * Its start goes on since nobody at all was heard. One of several that hears nobody may be deaf; and where
 * nobody is, there is nobody to serve.
 */
export function isUnheard({ isStarting, world, startedMs, hearing }: Ownership, now: Millis): boolean {
  return isStarting && world !== undefined && now >= startedMs + startMs &&
    [...hearing.values()].every(({ heardMs }) => heardMs === undefined)
}

/** When to look whether the start is over, whether anything is heard until then or not. */
export function startDueMs({ isStarting, world, startedMs }: Ownership, now: Millis): Millis {
  if (!isStarting || world === undefined) return Number.POSITIVE_INFINITY
  return now < startedMs + startMs ? startedMs + startMs : now + slowMs
}

/**
 * Whether what is new to this node may be another's by now: it stood still, others place units too, or it has
 * just started and has not met all: whoever it has not met may own what nobody else may.
 */
function isInDoubt(o: Ownership, now: Millis): boolean {
  return isLate(o, now) || isParted(o) || (now < o.startedMs + provisionalMs && !isComplete(o))
}

/**
 * A member that membership calls dead has been heard since: two that do not count each other as alive are
 * both the placer of what is new.
 */
function isParted({ deadSinceMs, returned }: Ownership): boolean {
  return [...deadSinceMs].some(([name, sinceMs]) => (returned.get(name)?.heardMs ?? sinceMs) > sinceMs)
}

/** It hears nobody on one of the unit's legs: it would announce what it does not answer for. */
function isDeafOn(o: Ownership, { legs }: Unit): boolean {
  return [...legs].some((ifindex) => o.hearing.get(ifindex)?.isDeaf === true)
}

/** What a placement is for. */
export interface Placing {
  /** The unit has just come into the world: nobody can have owned it, unless this node saw that late. */
  readonly isFresh: boolean
  /** Everything was restarted: hints count, and it may move once. */
  readonly isStart: boolean
}

/** Units without owner: those that this node places are told to the node they go to. */
export function placeUnits(
  o: Ownership, units: readonly Unit[], placing: Placing, now: Millis,
): void {
  const told = new Map<string, Entry[]>()
  const isNew = placing.isFresh && !isInDoubt(o, now)
  for (const unit of units) {
    const isOpen = unit.wish !== undefined && unit.own === undefined && unit.owner === undefined
    if (!isOpen || unit.attempt !== undefined || isOthers(o, unit, now)) continue
    const rank = hashRank(o, unit)
    if (rank[0] === o.self) place(o, unit, { ...placing, isFresh: isNew, told }, now)
    else if (rank.includes(o.self)) {
      const loss = { suspect: undefined, cause: 'placed', lastBeatMs: now, segments: undefined } as const
      attempt(o, unit, loss, { rank: rank.indexOf(o.self), now })
    }
  }
  for (const [node, entries] of told) {
    for (const page of pagesOf(entries)) tell(o, node, 'pick', { entries: page })
  }
}

function place(
  o: Ownership, unit: Unit, placing: Placing & { told: Map<string, Entry[]> }, now: Millis,
): void {
  const { told, isStart } = placing
  const load = loadOf(o, now)
  const rank = isHash(o, now) ? hashRank(o, unit) : loadRank(o, unit, load)
  const hint = unit.wish?.hint
  const isHinted = isStart && hint !== undefined && rank.includes(hint) && !isHash(o, now) &&
    !isEnding(unit, hint)
  const node = isHinted ? hint : rank[0]
  if (node === undefined) return
  load.set(node, (load.get(node) ?? 0) + weightOf(unit))
  const cause: Cause = isHash(o, now) ? 'election' : isHinted ? 'restored' : 'placed'
  if (node === o.self) {
    const isAtOnce = placing.isFresh && !isDeafOn(o, unit)
    unit.pick = { isFresh: isAtOnce, cause, from: undefined, atMs: now, isProvisional: isStart }
    return lookAt(o, unit, now)
  }
  unit.picked = { node, untilMs: now + pickMs }
  o.picks.add(unit)
  const flags = (placing.isFresh ? isFresh : 0) | (isStart ? isProvisional : 0) |
    (isHinted ? isRestored : 0)
  const entry = entryOf(unit.key, { term: unit.term, flags })
  const list = told.get(node)
  if (list === undefined) told.set(node, [entry])
  else list.push(entry)
  const loss = { suspect: undefined, cause: 'placed', lastBeatMs: now, segments: undefined } as const
  const own = hashRank(o, unit, node).indexOf(o.self)
  if (mayOwn(o, unit, now) && own >= 0) attempt(o, unit, loss, { rank: own, now })
}

/** "You are placed": done in the next wake, or when this node sees the Service too. */
export function onPick(
  o: Ownership, from: string, message: Message, { atMs, now }: { atMs: Millis; now: Millis },
): void {
  for (const { unit: key, term, flags } of message.entries) {
    const unit = o.units.get(key)
    if (unit === undefined || (unit.own === undefined && unit.nominees.length === 0)) {
      if (o.early.size < 1_000) o.early.set(key, { from, term, flags, atMs })
      continue
    }
    acceptPick(o, unit, { from, term, flags, atMs }, now)
  }
}

export function acceptPick(o: Ownership, unit: Unit, pick: EarlyPick, now: Millis): void {
  if (unit.own !== undefined || unit.owner !== undefined) return
  setTerm(o, unit, pick.term)
  const cause: Cause = (pick.flags & isRestored) !== 0 ? 'restored' : 'placed'
  // Later than the others' patience: somebody may have claimed it, so probe first.
  const isInTime = now - pick.atMs < patienceMs && !isInDoubt(o, now) && !isDeafOn(o, unit)
  unit.pick = {
    isFresh: isInTime && (pick.flags & isFresh) !== 0, cause, from: pick.from, atMs: now,
    isProvisional: (pick.flags & isProvisional) !== 0,
  }
  lookAt(o, unit, now)
}

/** Performs a pick: a new unit is announced at once and probed in parallel, others after probing. */
export function stepPick(o: Ownership, unit: Unit, now: Millis): void {
  const { pick } = unit
  if (pick === undefined) return
  unit.pick = undefined
  if (unit.own !== undefined || !mayOwn(o, unit, now)) return
  const { cause, isProvisional: isMovable } = pick
  if (o.isAlone || pick.isFresh) {
    const isHanded = cause === 'handOver'
    const from = isHanded ? pick.from : undefined
    const isOnTrial = isMovable && !o.isAlone
    take(o, unit, { cause, from, isHanded, isNew: true, isProvisional: isOnTrial }, now)
    if (isHanded && pick.from !== undefined) {
      mail(o, pick.from, 'claims', entryOf(unit.key, { term: unit.term, node: o.self }))
      return
    }
    return startRound(o, unit, 'check', { atMs: now, legs: unit.legs })
  }
  unit.round = undefined
  unit.attempt = createAttempt({
    suspect: undefined, cause, lastBeatMs: now, startMs: now, segments: undefined, isProvisional: isMovable,
  }, now)
  lookAt(o, unit, now)
}

/** The end of the start: hints and claims of others are known as far as they will be. */
export function endStart(o: Ownership, now: Millis): void {
  o.isStarting = false
  const units = [...o.units.values()]
  // What others still think ours was lost with our memory.
  for (const unit of units) {
    if (unit.owner === o.self && unit.own === undefined) setOwner(o, unit, undefined, now)
  }
  // Claims that are all young are of others that have just been restarted too.
  const isTotal = units.every(({ owner, sinceMs }) =>
    owner === undefined || now - sinceMs < provisionalMs
  )
  if (isTotal) o.restartUntilMs = now + provisionalMs
  placeUnits(o, units, { isFresh: false, isStart: isTotal }, now)
}

/** Units that nobody cares for: each second somebody looks whether they have an owner at all. */
export function findIdle(o: Ownership, now: Millis): void {
  const idle: Unit[] = []
  for (const unit of o.units.values()) {
    if (unit.wish === undefined || unit.owner !== undefined || unit.own !== undefined) continue
    if (unit.attempt === undefined && unit.pick === undefined && mayOwn(o, unit, now)) idle.push(unit)
  }
  if (idle.length === 0) return
  orphan(o, idle, {
    suspect: undefined, cause: 'placed', lastBeatMs: now, segments: undefined,
  }, now)
}
