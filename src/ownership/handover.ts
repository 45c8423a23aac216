/** Hand-over: make before break, of exactly one set of addresses, to a node that accepts it. */
import type { Millis } from '../net/model.ts'
import { entryOf, isBroken, isOptional, isReturn, type Message } from './codec.ts'
import { isHash } from './fleet.ts'
import { isCutOff, isMet } from './hearing.ts'
import {
  expiryMs, ineligibleMs, meetMs, offerGapMs, offerMs, offerTickMs, offerTries, preferredMs, provisionalMs,
  refusedMs,
} from './limits.ts'
import { mail, tellNear } from './mail.ts'
import type { Cause } from './model.ts'
import { announce, release } from './own.ts'
import { restate } from './stale.ts'
import { isAliveNode, lookAt, type Ownership, setTerm, type Unit } from './state.ts'
import { isStrained } from './strain.ts'
import {
  coverOf, hashRank, isDraining, isEnding, isOthers, loadOf, loadRank, mayOwn, reachOf, weightOf,
} from './units.ts'

/**
 * Looks whether units that are owned here should be elsewhere: those of which the world has changed, and
 * slowly all.
 */
export function reviewOwned(o: Ownership, now: Millis, units: Iterable<Unit> = o.owned): void {
  for (const unit of units) {
    const { own } = unit
    if (own === undefined || own.offer !== undefined || o.isAlone) continue
    const wanted = wantedElsewhere(o, unit, now)
    if (wanted === 'release') release(o, unit, { cause: 'ineligible', to: undefined }, now)
    else if (wanted === 'election') {
      release(o, unit, { cause: 'election', to: hashRank(o, unit)[0] }, now)
    } else if (wanted !== undefined) startOffer(o, unit, wanted, now)
  }
}

interface Wanted {
  readonly to: string
  readonly cause: Cause
  readonly isOptional?: boolean
  readonly isReturn?: boolean
}

function wantedElsewhere(
  o: Ownership, unit: Unit, now: Millis,
): Wanted | 'release' | 'election' | undefined {
  const { own, key } = unit
  if (own === undefined) return undefined
  if (isOthers(o, unit, now)) return 'election'
  const isNominee = unit.nominees.some(({ node }) => node === o.self) && unit.legs.size > 0
  // MetalLB's election asks only who may.
  const isOver = !isHash(o, now) && isEnding(unit, o.self)
  // Ranked only where somebody is looked for: all that is owned is asked at each change.
  const isSought = o.world?.isDraining === true || !isNominee || own.isCut
  const next = isSought ? successorsOf(o, unit, now)[0] : undefined
  // A foreign host has it: whoever took over would announce it beside that host, and does not claim it.
  const isForeign = own.hush === 'conflict'
  if (o.world?.isDraining === true) {
    return next === undefined || isForeign ? undefined : { to: next, cause: 'handOver' }
  }
  own.ineligibleMs = isNominee ? undefined : own.ineligibleMs ?? now
  if (own.ineligibleMs !== undefined) {
    // Silent since it hears nobody: another may have it by now, so there is nothing to hand over.
    const isGone = own.hush === 'ownerDeaf' || isForeign || next === undefined
    if (isGone || now - own.ineligibleMs > ineligibleMs) return 'release'
    return { to: next, cause: 'handOver' }
  }
  // Parts come together first.
  if (own.hush !== undefined || own.scope !== undefined) return undefined
  const lasting = isOver
    ? successorsOf(o, unit, now).find((node) => isLasting(o, unit, node, now))
    : undefined
  // It serves still: whoever does not answer on the wire does not get it.
  if (lasting !== undefined) return { to: lasting, cause: 'handOver', isOptional: true }
  const move = isHash(o, now) ? undefined : o.world?.moves.get(key)
  const isMovable = move !== undefined && move !== o.self && !isEnding(unit, move)
  if (isMovable && isSuccessor(o, unit, move, now)) {
    return { to: move, cause: 'handOver', isOptional: true }
  }
  if (isHash(o, now)) {
    const winner = hashRank(o, unit)[0]
    const isElse = winner !== undefined && isAsGood(o, unit, winner, now)
    return isElse ? { to: winner, cause: 'election', isOptional: true } : undefined
  }
  if (isStrained(o, now)) return undefined
  const better = preferred(o, unit, now) ?? provisional(o, unit, now)
  return uncut(o, unit, next) ?? (better === undefined ? undefined : { ...better, isOptional: true })
}

/** One owner on all segments: an owner that lost one of them makes room for a node that has all. */
function uncut(o: Ownership, unit: Unit, next: string | undefined): Wanted | undefined {
  if (unit.own?.isCut !== true) return undefined
  const isWider = next !== undefined && reachOf(o, unit, next) > reachOf(o, unit, o.self)
  unit.own.isCut = isWider
  return isWider ? { to: next, cause: 'handOver' } : undefined
}

/** A node with a higher score that has been eligible for 30 s. */
function preferred(o: Ownership, unit: Unit, now: Millis): Wanted | undefined {
  const { own } = unit
  if (own === undefined) return undefined
  // Where nobody is preferred, which is the rule, nothing is ranked: this is asked for each unit.
  const first = unit.nominees[0]?.score
  if (unit.nominees.every(({ score }) => score === first)) {
    own.better = undefined
    return undefined
  }
  const scores = new Map(unit.nominees.map(({ node, score }) => [node, score]))
  const best = hashRank(o, unit, o.self).find((node) => isLasting(o, unit, node, now))
  const isBetter = best !== undefined && (scores.get(best) ?? 0) > (scores.get(o.self) ?? 0)
  if (!isBetter) {
    own.better = undefined
    return undefined
  }
  if (own.better?.node !== best) own.better = { node: best, sinceMs: now }
  return now - own.better.sinceMs < preferredMs ? undefined : { to: best, cause: 'handOver' }
}

/** After a total restart each unit may move once within a minute: to its hint, or to balance. */
function provisional(o: Ownership, unit: Unit, now: Millis): Wanted | undefined {
  const { own } = unit
  if (own === undefined) return undefined
  const isOpen = now < own.provisionalUntilMs
  const hint = unit.wish?.hint
  if (hint === o.self || (!isOpen && !isClaimedSince(o, unit, now))) return undefined
  if (hint !== undefined && isLasting(o, unit, hint, now)) {
    return { to: hint, cause: 'restored', isReturn: !isOpen }
  }
  if (!isOpen) return undefined
  // One move each: it waits for those that are still to join, and for its hint, half the time at most.
  const isAwaited = hint !== undefined && o.world?.expected.includes(hint) === true && !isEnding(unit, hint)
  // One without interfaces is there: unlike a start, this does not wait for them.
  const haveJoined = o.world?.expected.every((name) => isAliveNode(o, name)) === true
  if ((isAwaited || !haveJoined) && now < own.provisionalUntilMs - provisionalMs / 2) return undefined
  const load = loadOf(o, now)
  const next = loadRank(o, unit, load, o.self).find((node) => isLasting(o, unit, node, now))
  const gap = next === undefined ? 0 : (load.get(o.self) ?? 0) - (load.get(next) ?? 0)
  return next === undefined || gap <= weightOf(unit) ? undefined : { to: next, cause: 'handOver' }
}

/**
 * Everything was restarted, and this node has claimed it since from one that stood still, as programs do
 * that start. It goes back where it was, as long after that as nothing moves by choice.
 */
function isClaimedSince({ restartUntilMs }: Ownership, { own }: Unit, now: Millis): boolean {
  return own !== undefined && own.handedBy === undefined && now < restartUntilMs &&
    now - own.sinceMs >= expiryMs
}

function isSuccessor(o: Ownership, unit: Unit, node: string, now: Millis): boolean {
  const isThere = isAliveNode(o, node) && o.lost.get(node)?.isSilent !== true
  return node !== o.self && isThere && o.peers.get(node)?.isCapable === true && !isDraining(o, node) &&
    unit.nominees.some((nominee) => nominee.node === node) &&
    now >= (unit.own?.refused.get(node) ?? 0)
}

/** It would answer on each segment on which this owner does, and is not cut off from it there. */
function isAsGood(o: Ownership, unit: Unit, node: string, now: Millis): boolean {
  return isSuccessor(o, unit, node, now) && !o.rivals.has(node) && coverOf(o, unit, node) === unit.legs.size
}

/** As good, and what it would serve the unit with does not end: nothing goes to another by choice. */
function isLasting(o: Ownership, unit: Unit, node: string, now: Millis): boolean {
  return isAsGood(o, unit, node, now) && !(o.rules.hasEndings && isEnding(unit, node))
}

/** Best first: those that a rollout has restarted already, else the address would move again. */
function successorsOf(o: Ownership, unit: Unit, now: Millis): readonly string[] {
  const rank = isHash(o, now) ? hashRank(o, unit, o.self) : loadRank(o, unit, loadOf(o, now), o.self)
  const isFresh = (node: string): number => o.peers.get(node)?.isRestarted === true ? 1 : 0
  const isLast = (node: string): number => !isHash(o, now) && isEnding(unit, node) ? 1 : 0
  return rank.filter((node) => isSuccessor(o, unit, node, now))
    .toSorted((a, b) => isLast(a) - isLast(b) || isFresh(b) - isFresh(a))
}

export function startOffer(o: Ownership, unit: Unit, wanted: Wanted, now: Millis): void {
  const { own } = unit
  if (own === undefined) return
  const { to, cause, isOptional: canStay = false, isReturn: isBack = false } = wanted
  // Hundreds of units are taken over in turns that are short.
  const slotMs = Math.max(now, o.offerMs)
  o.offerMs = slotMs + offerGapMs
  const nextMs = Math.max(now, Math.floor(slotMs / offerTickMs) * offerTickMs)
  own.offer = {
    to, cause, sinceMs: now, againMs: refusedMs, isOptional: canStay, isReturn: isBack, isJoining: false,
    asks: 0, tries: 0, nextMs,
  }
  // Counted at once, so that the next unit goes elsewhere.
  const load = loadOf(o, now)
  load.set(to, (load.get(to) ?? 0) + weightOf(unit))
  load.set(o.self, (load.get(o.self) ?? 0) - weightOf(unit))
  lookAt(o, unit, nextMs)
}

/** The offer is made, made again, or given up for the next successor. */
export function stepOffer(o: Ownership, unit: Unit, now: Millis): void {
  const { own } = unit
  if (own?.offer === undefined) return
  const { offer } = own
  if (now < offer.nextMs) return lookAt(o, unit, offer.nextMs)
  if (offer.isOptional && offer.tries === 0 && !isMet(o, unit, offer.to, now)) {
    if (offer.asks >= offerTries) return giveUp(o, unit, now)
    offer.asks++
    offer.nextMs = now + meetMs
    return lookAt(o, unit, offer.nextMs)
  }
  const isThere = offer.isJoining || isAliveNode(o, offer.to)
  if (offer.tries >= offerTries || !isThere) return giveUp(o, unit, now)
  offer.tries++
  offer.nextMs = now + offerMs
  // Where this node cannot answer any more, nobody is to wait for a seen announcement.
  const flags = unit.legs.size === 0 ? isBroken : offer.isOptional ? isOptional : 0
  const back = offer.isReturn ? isReturn : 0
  const entry = entryOf(unit.key, { term: own.term, value: unit.digest, flags: flags | back })
  if (offer.isJoining) tellNear(o, offer.to, 'offer', entry)
  else mail(o, offer.to, 'offer', entry)
  lookAt(o, unit, offer.nextMs)
}

function giveUp(o: Ownership, unit: Unit, now: Millis): void {
  const { own } = unit
  if (own?.offer === undefined) return
  own.refused.set(own.offer.to, now + own.offer.againMs)
  if (own.offer.isJoining) own.joinMs = now + own.offer.againMs
  own.offer = undefined
  o.load = undefined
  const next = wantedElsewhere(o, unit, now)
  if (next === 'release') release(o, unit, { cause: 'ineligible', to: undefined }, now)
  else if (next !== undefined && next !== 'election') startOffer(o, unit, next, now)
}

/**
 * The old owner offers units: accepted in the next wake, of exactly the same addresses only. What
 * lay in a queue for longer than the offer is good for has been given to another since.
 */
export function onOffer(
  o: Ownership, from: string, message: Message, { atMs, now }: { atMs: Millis; now: Millis },
): void {
  if (now - atMs > offerMs) return
  for (const { unit: key, term, value, flags } of message.entries) {
    const unit = o.units.get(key)
    const scope = unit?.own?.scope
    if (unit?.own !== undefined && scope !== undefined && unit.digest === value) {
      // It owned one segment; the others are handed to it, if it is heard there.
      if ([...unit.legs].some((ifindex) => !scope.has(ifindex) && isCutOff(o, ifindex, now))) {
        mail(o, from, 'refusal', entryOf(key))
        continue
      }
      unit.own.scope = undefined
      unit.own.offer = undefined
      setTerm(o, unit, term)
      unit.own.term = unit.term
      unit.own.graceUntilMs = now + offerMs
      unit.own.handedBy = from
      restate(o, unit)
      announce(o, unit)
      o.news.add(unit)
      mail(o, from, 'claims', entryOf(key, { term: unit.term + 1, node: o.self }))
      continue
    }
    // Offered before, and taken by another meanwhile: its claim was faster than this offer.
    const isTaken = unit !== undefined && o.rules.hasTerms && unit.term > term &&
      unit.owner !== undefined && unit.owner !== from
    const isDue = (flags & isReturn) === 0 || unit?.own !== undefined || wasLost(unit, now)
    const isSame = !isTaken && isDue && unit?.wish !== undefined && unit.digest === value
    const hears = isSame && ((flags & isOptional) === 0
      ? [...unit.legs].some((ifindex) => o.hearing.get(ifindex)?.isDeaf !== true)
      : [...unit.legs].every((ifindex) => !isCutOff(o, ifindex, now)))
    if (unit === undefined || !hears || !mayOwn(o, unit, now)) {
      mail(o, from, 'refusal', entryOf(key))
      continue
    }
    if (unit.own !== undefined && (unit.own.hush ?? 'conflict') === 'conflict') continue
    // A silent owner that has not asked the wire yet is told by the one that took over.
    release(o, unit, { cause: 'contested', to: from }, now)
    setTerm(o, unit, term)
    unit.pick = {
      isFresh: true, cause: 'handOver', from, atMs: now, isProvisional: false,
    }
    lookAt(o, unit, now)
  }
}

/** This process had it lately: one that has started again since has no claim to it. */
function wasLost(unit: Unit | undefined, now: Millis): boolean {
  return unit?.lostMs !== undefined && now - unit.lostMs < provisionalMs
}

export function onRefusal(o: Ownership, from: string, message: Message, now: Millis): void {
  for (const { unit: key } of message.entries) {
    const unit = o.units.get(key)
    if (unit?.own?.offer?.to === from) giveUp(o, unit, now)
  }
}
