/** Claims as others tell of them: by gossip, by push/pull, and when asked. Nobody yields to these. */
import type { Millis } from '../net/model.ts'
import { attempt, endAttempt } from './claim.ts'
import {
  decodeMessage, encodeMessage, type Entry, entryOf, isForeign, isHeld, isHushed, type Message,
  messageOf, pagesOf,
} from './codec.ts'
import { onRival } from './conflict.ts'
import { conflictMinMs, deniedMs, fenceMs } from './limits.ts'
import { release } from './own.ts'
import { type Ownership, setOwner, setTerm, tell, type Unit } from './state.ts'
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
  return entryOf(unit.key, { term, node: unit.owner ?? '', value })
}

/** All claims known here, for a member that has just joined. */
export function claimsMessage(o: Ownership, now: Millis): Uint8Array {
  const owned = [...o.units.values()].filter(({ owner }) => owner !== undefined)
  const entries = owned.map((unit) => claimOf(unit, now))
  return encodeMessage(messageOf('claims', { entries }))
}

export function readClaims(o: Ownership, bytes: Uint8Array, now: Millis): void {
  const message = decodeMessage(bytes)
  if (message?.kind === 'claims') onClaims(o, message, now)
}

export function onClaims(o: Ownership, message: Message, now: Millis): void {
  for (const entry of message.entries) {
    const unit = entry.node === '' ? undefined : unitOf(o, entry.unit, now)
    if (unit !== undefined) onClaim(o, unit, entry, now)
  }
}

function onClaim(o: Ownership, unit: Unit, { node, term, value }: Entry, now: Millis): void {
  const { own } = unit
  if (own !== undefined) {
    if (node === o.self || term <= own.term) return
    if (own.offer?.to === node) {
      return release(o, unit, { cause: own.offer.cause, to: node }, now)
    }
    // A segment of ours that we no longer hear may be its by now; else the wire is asked.
    return onRival(o, unit, { rival: node, term, isGossip: true }, now)
  }
  const isNews = term > unit.term || (term === unit.term && unit.owner === undefined)
  setTerm(o, unit, term)
  if (!isNews || node === o.self) return
  if (unit.attempt?.suspect === node) return
  endAttempt(o, unit, node, now)
  unit.sinceMs = now - value
}

/** Somebody saw our MAC answer, or misses our answers: do we own these? */
export function onQuery(o: Ownership, from: string, message: Message): void {
  const entries = message.entries.map(({ unit: key, term }) => {
    const unit = o.units.get(key)
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
    if (unit.own !== undefined || unit.owner !== from || unit.attempt?.suspect === from) continue
    setOwner(o, unit, undefined, now)
    if (!mayOwn(o, unit, now)) continue
    const loss = {
      suspect: undefined, cause: 'placed', lastBeatMs: now - fenceMs, segments: undefined,
    } as const
    attempt(o, unit, loss, { rank: 0, now })
  }
}
