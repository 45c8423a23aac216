/** Beats that are received: whose lists are known, who has fallen silent, and who is told. */
import { noMac } from '../l2/frame.ts'
import type { Mac } from '../l2/model.ts'
import type { Millis } from '../net/model.ts'
import { itemDigest } from './beats.ts'
import {
  type Entry, entryOf, isBroken, isLast, isRemoved, type Message, pagesOf,
} from './codec.ts'
import { orphan } from './claim.ts'
import { compareTerms, type Rival } from './compare.ts'
import { legOf, ownLegsAt } from './fleet.ts'
import {
  beatMs, fenceMs, restateFast, restateMs, restateSlowMs, suspectMs, toldCount,
} from './limits.ts'
import { tell, tellOn } from './mail.ts'
import { type BeatRecord, isAliveNode, type Ownership, setOwner, type Unit } from './state.ts'
import { causes } from './suspicion.ts'
import { ranksOf } from './units.ts'

/** Takes in a beat that was received at `atMs`. */
export function onBeat(
  o: Ownership, from: string, message: Message,
  at: { readonly atMs: Millis; readonly now: Millis; readonly onRival: Rival },
): void {
  if (!o.peers.has(from) || from === o.self) return
  const legs = message.mac === noMac ? [0] : ownLegsAt(o, from, message.mac)
  const record = recordOf(o, from, message.incarnation)
  if ((message.flags & isLast) !== 0) {
    for (const ifindex of legs) {
      record.heard.delete(ifindex)
      record.suspected.delete(ifindex)
    }
    return
  }
  // It may be the only one: whoever has had nothing to look at looks when the next two are missing.
  const isFirst = legs.some((ifindex) => !record.heard.has(ifindex))
  if (isFirst) o.wakeMs = Math.min(o.wakeMs, at.atMs + suspectMs)
  for (const ifindex of legs) {
    record.heard.set(ifindex, Math.max(record.heard.get(ifindex) ?? 0, at.atMs))
    record.macs.set(ifindex, message.mac)
    record.suspected.delete(ifindex)
  }
  withdraw(o, record, legs)
  const base = record.revision
  const isNews = message.revision > base
  if (isNews) {
    const isNext = message.base === base && applyChanges(record, message.entries, message.digest)
    if (!isNext) return askList(o, record, at.now)
    record.revision = message.revision
    dropRemoved(o, record, base === 0 ? unlisted(o, record, at.now) : message.entries, at.now)
  } else if (message.revision === base && message.digest !== record.digest) {
    return askList(o, record, at.now)
  }
  const keys = isNews ? message.entries.map(({ unit }) => unit) : []
  compareTerms(o, record, base === 0 ? undefined : { base, keys }, at)
}

/** It beats again on these legs: whoever was told otherwise is told so. What it was said of others stays. */
function withdraw(o: Ownership, record: BeatRecord, legs: readonly number[]): void {
  for (const ifindex of legs) {
    const told = record.told.get(ifindex)
    if (told === undefined) continue
    record.told.delete(ifindex)
    const mac = macAt(o, record.owner, ifindex)
    for (const node of told) tell(o, node, 'withdrawal', { name: record.owner, mac })
  }
}

function recordOf(o: Ownership, owner: string, incarnation: number): BeatRecord {
  const known = o.beats.get(owner)
  if (known !== undefined) {
    if (known.incarnation !== incarnation) {
      known.incarnation = incarnation
      known.revision = 0
      known.digest = 0
      known.pages = undefined
      known.compared = undefined
      // The list stays until the new one has come: its units may have to be claimed.
    }
    return known
  }
  const fresh: BeatRecord = {
    owner, incarnation, revision: 0, digest: 0, list: new Map(), pages: undefined, askedMs: 0,
    heard: new Map(), macs: new Map(), suspected: new Map(), contestedMs: 0,
    told: new Map(), compared: undefined,
  }
  o.beats.set(owner, fresh)
  return fresh
}

/** Applies a beat's changes; false, and nothing done, when the result is not what the owner has. */
function applyChanges(record: BeatRecord, entries: readonly Entry[], digest: number): boolean {
  let mine = record.revision === 0 ? 0 : record.digest
  const list = record.revision === 0 ? new Map() : record.list
  for (const { unit, term, flags } of entries) {
    const was = list.get(unit)
    if (was !== undefined) mine ^= itemDigest(unit, was.term, was.flags)
    if ((flags & isRemoved) === 0) mine ^= itemDigest(unit, term, flags)
  }
  if (mine >>> 0 !== digest) return false
  for (const { unit, term, flags } of entries) {
    if ((flags & isRemoved) === 0) list.set(unit, { term, flags })
    else list.delete(unit)
  }
  record.list = list
  record.digest = digest
  return true
}

function askList(o: Ownership, record: BeatRecord, now: Millis): void {
  if (now < record.askedMs + beatMs / 2) return
  record.askedMs = now
  tell(o, record.owner, 'ask', {})
}

/** A page of a list that was asked for. */
export function onList(
  o: Ownership, from: string, message: Message, at: { readonly now: Millis; readonly onRival: Rival },
): void {
  const record = o.beats.get(from)
  if (record === undefined || record.incarnation !== message.incarnation) return
  if (message.revision <= record.revision) return
  if (record.pages?.revision !== message.revision) {
    record.pages = { revision: message.revision, parts: new Map() }
  }
  const { parts } = record.pages
  parts.set(message.base & 0xffff, message)
  if (parts.size < message.base >>> 16) return
  record.list = new Map([...parts.values()].flatMap(({ entries }) =>
    entries.map(({ unit, term, flags }) => [unit, { term, flags }] as const)
  ))
  record.pages = undefined
  record.revision = message.revision
  record.digest = message.digest
  dropRemoved(o, record, unlisted(o, record, at.now), at.now)
  compareTerms(o, record, undefined, at)
}

/** Units that were the owner's as far as known, and are not in its list. */
function unlisted(o: Ownership, record: BeatRecord, now: Millis): readonly Entry[] {
  const gone: Entry[] = []
  for (const unit of o.units.values()) {
    const isIts = unit.owner === record.owner && now - unit.sinceMs > restateSlowMs
    if (isIts && !record.list.has(unit.key)) gone.push(entryOf(unit.key, { flags: isRemoved }))
  }
  return gone
}

/** Units that the owner let go, or is silent for: orphans unless somebody has claimed them. */
function dropRemoved(
  o: Ownership, record: BeatRecord, entries: readonly Entry[], now: Millis,
): void {
  const [lost, free, taken]: [Unit[], Unit[], Unit[]] = [[], [], []]
  for (const { unit: key, flags, node } of entries) {
    const unit = o.units.get(key)
    if ((flags & isRemoved) === 0 || unit?.owner !== record.owner) continue
    setOwner(o, unit, undefined, now)
    if (node !== '' && isAliveNode(o, node)) taken.push(unit)
    else if ((flags & isBroken) === 0) lost.push(unit)
    else free.push(unit)
  }
  const suspicion = { suspect: record.owner, ifindex: 0, cause: 'ownerLeft', count: 1 } as const
  if (lost.length > 0) spread(o, lost, { ...suspicion, lastBeatMs: now }, now)
  // It was silent before it said so.
  if (free.length > 0) spread(o, free, { ...suspicion, lastBeatMs: now - fenceMs }, now)
  // Its successor will say so too; if it does not, somebody has to look.
  if (taken.length === 0) return
  const loss = { suspect: undefined, cause: 'ownerLeft', segments: undefined } as const
  orphan(o, taken, { ...loss, lastBeatMs: now + fenceMs }, now)
}

/** Owners whose beats have stopped. Returns the next instant to look. */
export function watchBeats(o: Ownership, now: Millis): Millis {
  let nextMs = Number.POSITIVE_INFINITY
  if (!o.rules.hasSuspicion) return nextMs
  for (const record of o.beats.values()) {
    if (record.list.size === 0) continue
    for (const [ifindex, atMs] of record.heard) {
      const state = record.suspected.get(ifindex)
      const dueMs = state?.nextMs ?? atMs + suspectMs
      if (now < dueMs) {
        nextMs = Math.min(nextMs, dueMs)
        continue
      }
      const count = (state?.count ?? 0) + 1
      const isOpen = suspect(o, record, ifindex, { lastBeatMs: atMs, count, now })
      if (!isOpen) {
        record.heard.delete(ifindex)
        record.suspected.delete(ifindex)
        continue
      }
      const againMs = now + (count <= restateFast ? restateMs : restateSlowMs)
      record.suspected.set(ifindex, { count, nextMs: againMs })
      nextMs = Math.min(nextMs, againMs)
    }
    if (record.heard.size === 0) record.list.clear()
  }
  return nextMs
}

/** States a suspicion of an owner that fell silent on a leg. False: nothing is left of it. */
function suspect(
  o: Ownership, record: BeatRecord, ifindex: number,
  { lastBeatMs, count, now }: { lastBeatMs: Millis; count: number; now: Millis },
): boolean {
  const leg = ifindex === 0 ? undefined : legOf(o, record.owner, ifindex)?.name
  const units: Unit[] = []
  for (const key of record.list.keys()) {
    const unit = o.units.get(key)
    if (unit?.owner !== record.owner || unit.wish === undefined) continue
    if (leg === undefined || isVoicedOn(unit, record.owner, leg)) units.push(unit)
  }
  if (units.length === 0) return false
  spread(o, units, { suspect: record.owner, ifindex, lastBeatMs, cause: 'ownerSilent', count }, now)
  return true
}

export interface Suspicion {
  readonly suspect: string
  /** Own leg on its segment; 0 = unknown. */
  readonly ifindex: number
  readonly lastBeatMs: Millis
  readonly cause: (typeof causes)[number]
  /** How often it has been stated: each time three more in rank are told. */
  readonly count: number
  /** Own leg on which it is said; any way if absent. */
  readonly way?: number | undefined
}

/** Tells the next in rank of each unit, and takes this node's own place in the queue. */
export function spread(
  o: Ownership, units: readonly Unit[], suspicion: Suspicion, now: Millis,
): void {
  const { suspect: name, ifindex, lastBeatMs, cause, count, way } = suspicion
  const ranks = ranksOf(o, units, name, now)
  const told = new Map<string, Entry[]>()
  for (const unit of units) {
    const rank = ranks.get(unit) ?? []
    const first = toldCount * (count - 1) % Math.max(1, rank.length)
    const entry = entryOf(unit.key, { term: unit.term })
    for (let i = 0; i < Math.min(toldCount, rank.length); i++) {
      const node = rank[(first + i) % rank.length]
      if (node === undefined || node === o.self) continue
      const list = told.get(node)
      if (list === undefined) told.set(node, [entry])
      else list.push(entry)
    }
  }
  const mac = macAt(o, name, ifindex)
  const base = Math.max(0, Math.round(now - lastBeatMs))
  const digest = causes.indexOf(cause)
  const record = o.beats.get(name)
  for (const [node, entries] of told) {
    if (cause === 'ownerSilent') addTold(record, ifindex, node)
    for (const page of pagesOf(entries)) {
      const said = { name, mac, base, digest, entries: page }
      if (way === undefined) tell(o, node, 'suspicion', said)
      else tellOn(o, { to: node, ifindex: way }, 'suspicion', said)
    }
  }
  const segments = ifindex === 0 ? undefined : [ifindex]
  orphan(o, units, { suspect: name, cause, lastBeatMs, segments, ranks }, now)
}

/** The MAC of an owner on our segment, also where its leg has lost carrier. */
function macAt(o: Ownership, owner: string, ifindex: number): Mac {
  return legOf(o, owner, ifindex)?.mac ?? o.beats.get(owner)?.macs.get(ifindex) ?? noMac
}

function addTold(record: BeatRecord | undefined, ifindex: number, node: string): void {
  const told = record?.told.get(ifindex)
  if (told === undefined) record?.told.set(ifindex, new Set([node]))
  else told.add(node)
}

/** Whether the owner would answer for the unit on its interface of that name. */
function isVoicedOn({ nominees }: Unit, owner: string, name: string): boolean {
  const nominee = nominees.find(({ node }) => node === owner)
  if (nominee === undefined) return true
  for (const names of nominee.interfaces.values()) if (names === 'all' || names.includes(name)) return true
  return false
}

/**
 * A monitor hears the owner again on the segment of its leg `mac`, or by any way: claims that its
 * suspicion opened are over there, and go on where the owner is silent.
 */
export function onWithdrawal(o: Ownership, { name, mac }: Message): void {
  const legs = mac === noMac ? undefined : ownLegsAt(o, name, mac)
  for (const unit of o.units.values()) {
    const { attempt, round } = unit
    if (attempt?.suspect !== name || attempt.cause !== 'ownerSilent') continue
    const left = [...attempt.segments ?? unit.legs].filter((leg) => legs?.includes(leg) === false)
    if (left.length > 0) {
      attempt.segments = new Set(left)
      if (round?.purpose === 'claim') unit.round = { ...round, legs: attempt.segments }
      continue
    }
    unit.attempt = undefined
    unit.round = undefined
    unit.darkMs = undefined
  }
}
