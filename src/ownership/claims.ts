/** Claims as others tell of them: by gossip, by push/pull, and when asked. Nobody yields to these. */
import type { Millis } from '../net/model.ts'
import { attempt, endAttempt } from './claim.ts'
import {
  encodeMessage, type Entry, entryOf, isForeign, isHeld, isHushed, isPart, type Message,
  messageOf, pagesOf,
} from './codec.ts'
import { addRival, check, onRival } from './conflict.ts'
import { conflictMinMs, deniedMs, fenceMs } from './limits.ts'
import { isBeaten } from './lists.ts'
import { tell } from './mail.ts'
import { shout } from './own.ts'
import { onDenied } from './patrol.ts'
import { type Ownership, setOwner, setTerm, type Unit } from './state.ts'
import { mayOwn, unitOf } from './units.ts'

/** What this node has come to own, for everybody. */
export function gossipNews(o: Ownership, now: Millis): void {
  const entries = [...o.news].flatMap((unit) => unit.own === undefined ? [] : [claimOf(unit, now)])
  o.news.clear()
  if (entries.length === 0 || o.isAlone) return
  for (const page of pagesOf(entries)) {
    o.out.push({ kind: 'gossip', bytes: encodeMessage(messageOf('claims', { entries: page })) })
  }
}

function claimOf(unit: Unit, now: Millis): Entry {
  const term = unit.own?.term ?? unit.term
  const value = Math.max(0, Math.round(now - unit.sinceMs)) >>> 0
  const flags = unit.own?.scope === undefined ? 0 : isPart
  return entryOf(unit.key, { term, flags, node: unit.owner ?? '', value })
}

/** All claims known here, for a member that has just joined. */
export function claimsMessage(o: Ownership, now: Millis): Uint8Array {
  const owned = [...o.units.values()].filter(({ owner }) => owner !== undefined)
  const entries = owned.map((unit) => claimOf(unit, now))
  return encodeMessage(messageOf('claims', { entries }))
}

/** What `from` says that it, or somebody else, owns. */
export function onClaims(o: Ownership, from: string, message: Message, now: Millis): void {
  for (const entry of message.entries) {
    const unit = entry.node === '' ? undefined : unitOf(o, entry.unit, now)
    if (unit === undefined) continue
    const claim = { ...entry, isItsOwn: entry.node === from }
    if (unit.own === undefined) learnClaim(o, unit, claim, now)
    else rivalClaim(o, unit, claim, now)
  }
}

interface Claim extends Entry {
  /** Of the sender itself. */
  readonly isItsOwn: boolean
}

/** Somebody claims what is owned here. What others tell of third parties may be old. */
function rivalClaim(o: Ownership, unit: Unit, claim: Claim, now: Millis): void {
  const { own } = unit
  const { node, term, flags, isItsOwn } = claim
  if (own === undefined || node === o.self) return
  const isPartly = (flags & isPart) !== 0
  if (term > own.term) return onRival(o, unit, { rival: node, term, isPartly, isGossip: true }, now)
  if (!isItsOwn || now < own.graceUntilMs) return
  addRival(o, node, now)
  shout(o, unit, now)
  check(o, unit, now)
}

function learnClaim(o: Ownership, unit: Unit, claim: Claim, now: Millis): void {
  const { node, term, value, flags, isItsOwn } = claim
  if (node === unit.owner && term === unit.term) {
    // By a beat or a voice, it was known only since then; of others, whoever has known for longest is right.
    unit.ownedMs = isItsOwn ? now - value : Math.min(unit.ownedMs, now - value)
  }
  const isNews = term > unit.term || (term === unit.term && unit.owner === undefined)
  setTerm(o, unit, term)
  if (!isNews || node === o.self || unit.attempt?.suspect === node) return
  // On the other side of a split: here the owner beats, and is the owner.
  if (unit.owner !== undefined && unit.owner !== node && isBeaten(o, unit, unit.owner, now)) return
  unit.isBeatPart = (flags & isPart) !== 0
  // The claim for its other segments goes on.
  if (unit.isBeatPart && unit.attempt !== undefined) setOwner(o, unit, node, now)
  else endAttempt(o, unit, node, now)
  unit.sinceMs = now - value
  unit.ownedMs = now - value
}

/** Somebody saw our MAC answer, or misses our answers: do we own these? */
export function onQuery(o: Ownership, from: string, message: Message, now: Millis): void {
  const entries = message.entries.map(({ unit: key, term }) => {
    const unit = o.units.get(key)
    // Whoever asks has heard, or has been, another voice.
    if (unit !== undefined) shout(o, unit, now)
    if (unit?.own === undefined) return entryOf(key, { term: unit?.term ?? term })
    const { hush, term: held } = unit.own
    const flags = hush === undefined ? isHeld : hush === 'conflict' ? isHeld | isForeign : isHushed
    return entryOf(key, { term: held, flags })
  })
  for (const page of pagesOf(entries)) tell(o, from, 'reply', { entries: page })
}

/**
 * The answer to a query. A member that does not own what it was heard to answer is either silent
 * by now, or its kernel answers (strictARP): another probe round tells which.
 */
export function onReply(o: Ownership, from: string, message: Message, now: Millis): void {
  for (const { unit: key, term, flags } of message.entries) {
    const unit = o.units.get(key)
    if (unit === undefined) continue
    if ((flags & isHeld) !== 0) {
      if (unit.own !== undefined) continue
      if (unit.attempt?.suspect !== from && term >= unit.term) endAttempt(o, unit, from, now)
      setTerm(o, unit, term)
      if ((flags & isForeign) !== 0) unit.contestedUntilMs = now + conflictMinMs
      continue
    }
    if ((flags & isHushed) !== 0) continue
    unit.denied = {
      node: from, untilMs: now + deniedMs,
      isTold: unit.denied?.node === from && unit.denied.isTold,
    }
    onDenied(o, unit, from)
    if (unit.own !== undefined || unit.owner !== from || unit.attempt?.suspect === from) continue
    setOwner(o, unit, undefined, now)
    if (!mayOwn(o, unit, now)) continue
    const loss = {
      suspect: undefined, cause: 'ownerLeft', lastBeatMs: now - fenceMs, segments: undefined,
    } as const
    attempt(o, unit, loss, { rank: 0, now })
  }
}
