/** An owner's beats: its list, whom it tells, and the fence that each beat extends. */
import { noMac } from '../l2/frame.ts'
import type { Mac } from '../l2/model.ts'
import type { Millis } from '../net/model.ts'
import {
  digestOf, encodeMessage, type Entry, entryOf, isBroken, isForeign, isHushed, isLast, isPart,
  isRemoved, messageOf, pagesOf,
} from './codec.ts'
import { legOf, monitorsOf } from './fleet.ts'
import { ownedLegs } from './hearing.ts'
import { isSpoken } from './legs.ts'
import { beatMs, fenceMs, pausedMs } from './limits.ts'
import { tell } from './mail.ts'
import type { Ownership, Unit } from './state.ts'
import { isFailing } from './strain.ts'

type Targets = Ownership['targets']

/** Whether the fence of the present rights has ended before now. */
export function isFenced(o: Ownership, now: Millis): boolean {
  return !o.isAlone && o.rules.hasFence && now >= o.notAfterMs
}

/**
 * Sends the beat that is due, or that a change of the list makes due, and extends the fence: one
 * act. Only in `wake`, after every queue was read. Returns the instant of the next.
 */
export function sendBeats(o: Ownership, now: Millis): Millis {
  if (o.isAlone) return stayAlone(o, now)
  if (now >= o.pausedUntilMs) {
    o.pausedUntilMs = Number.POSITIVE_INFINITY
    o.isListStale = true
    o.isListDirty = true
  }
  if (!o.isListDirty && o.listed.size === 0) return Number.POSITIVE_INFINITY
  if (!o.isListDirty && now < o.nextBeatMs) return o.nextBeatMs
  const base = o.revision
  const changes = o.isListDirty ? renewList(o, now) : []
  o.isListDirty = false
  // The last beat says that nothing is left: to those that have the list.
  if (o.lastTargets === '' && o.listed.size > 0) renewTargets(o)
  const pages = pagesOf(changes)
  const entries = pages.length === 1 ? changes : []
  // By the MAC that it names: the monitors on a segment get the same bytes.
  const beats = new Map<Mac, Uint8Array>()
  for (const target of o.targets) {
    if (pages.length > 1) sendList(o, target.to)
    const bytes = beats.get(target.mac) ?? beatOf(o, target.mac, { base, entries, flags: 0 })
    beats.set(target.mac, bytes)
    sendBeat(o, target, bytes)
  }
  o.nextBeatMs = now + beatMs
  if (o.listed.size === 0) return Number.POSITIVE_INFINITY
  o.notAfterMs = o.rules.hasFence ? now + fenceMs : Number.POSITIVE_INFINITY
  o.out.push({ kind: 'extend', notAfterMs: o.notAfterMs })
  return o.nextBeatMs
}

function stayAlone(o: Ownership, now: Millis): Millis {
  if (o.isListDirty) renewList(o, now)
  o.isListDirty = false
  if (o.notAfterMs !== Number.POSITIVE_INFINITY) {
    o.notAfterMs = Number.POSITIVE_INFINITY
    o.isRightsDirty = true
  }
  return Number.POSITIVE_INFINITY
}

function beatOf(
  { incarnation, revision, digest }: Ownership, mac: Mac,
  { base, entries, flags }: { base: number; entries: readonly Entry[]; flags: number },
): Uint8Array {
  return encodeMessage(messageOf('beat', { flags, incarnation, revision, base, digest, mac, entries }))
}

function sendBeat(o: Ownership, { to, ifindex }: Targets[number], bytes: Uint8Array): void {
  o.counts.sent++
  o.out.push({ kind: 'tell', to, ifindex, bytes })
}

/**
 * Its deadline has passed and its probes are under way: nobody needs to claim it for that. For a
 * moment only, and not where it happens again and again: then others may have it at once.
 */
function isPausing(o: Ownership, { own, legs }: Unit, now: Millis): boolean {
  if (own?.hush !== 'expired' || now >= own.hushedMs + pausedMs || isFailing(o)) return false
  return [...legs].some((ifindex) => o.hearing.get(ifindex)?.isDeaf !== true)
}

/** Brings the list up to date, of units that may be listed otherwise or of any; returns what changed. */
export function renewList(o: Ownership, now: Millis): readonly Entry[] {
  const { listed, unlisted, isListStale } = o
  const [changes, removals]: [Entry[], Entry[]] = [[], []]
  let { digest } = o
  o.isListStale = false
  for (const unit of isListStale ? everyOne(o) : inOrder(unlisted)) {
    const { own, key } = unit
    const was = listed.get(key)
    const flags = o.owned.has(unit) ? flagsOf(o, unit, now) : undefined
    // It is listed for a while only.
    if (flags === undefined || (flags & isHushed) === 0) unlisted.delete(unit)
    else unlisted.add(unit)
    if (own === undefined || flags === undefined) {
      if (was === undefined || (o.units.get(key) ?? unit) !== unit) continue
      listed.delete(key)
      digest ^= was.digest
      removals.push(removalOf(o, key, was.term))
      continue
    }
    if (was?.term === own.term && was.flags === flags) continue
    const item = { term: own.term, flags, digest: itemDigest(key, own.term, flags) }
    listed.set(key, item)
    digest ^= (was?.digest ?? 0) ^ item.digest
    changes.push(entryOf(key, { term: own.term, flags }))
  }
  if (changes.length + removals.length === 0) return []
  o.digest = digest >>> 0
  o.revision++
  return [...changes, ...removals]
}

/** All that is owned, or may be listed though it is not. */
function everyOne({ owned, unlisted }: Ownership): readonly Unit[] {
  return inOrder(new Set([...owned, ...unlisted]))
}

/** What is sent hangs on what has changed, not on who was looked at first. */
function inOrder(units: ReadonlySet<Unit>): readonly Unit[] {
  return [...units].toSorted((a, b) => (a.key < b.key ? -1 : 1))
}

/** How an owned unit is listed; undefined = not at all. */
function flagsOf(o: Ownership, unit: Unit, now: Millis): number | undefined {
  const { own } = unit
  if (own === undefined) return undefined
  const isVoice = own.hush === undefined && isSpokenAnywhere(o, unit)
  const isPaused = isPausing(o, unit, now)
  if (!isVoice && !isPaused && own.hush !== 'conflict') return undefined
  return (own.hush === 'conflict' ? isForeign : isPaused ? isHushed : 0) |
    (own.scope === undefined ? 0 : isPart)
}

function isSpokenAnywhere(o: Ownership, unit: Unit): boolean {
  for (const ifindex of unit.legs) if (isSpoken(o, unit, ifindex)) return true
  return false
}

/** Who has it now, if anybody; without one, and not to be resumed by us either, it is to be had at once. */
function removalOf(o: Ownership, key: string, term: number): Entry {
  const unit = o.units.get(key)
  const to = unit?.own?.hush === 'handOver' ? unit.own.offer?.to : unit?.owner
  const isFree = unit?.own === undefined && unit?.owner === undefined
  const node = to === undefined || to === o.self ? '' : to
  return entryOf(key, { term, flags: isFree ? isRemoved | isBroken : isRemoved, node })
}

/** Order does not matter: the digest of a list is the exclusive or of these. */
export function itemDigest(unit: string, term: number, flags: number): number {
  return Math.imul(digestOf(unit) ^ Math.imul(term, 0x9e3779b1), 2 * flags + 1)
}

/** The whole list, in pages. */
export function sendList(o: Ownership, to: string): void {
  const entries = [...o.listed].map(([key, { term, flags }]) => entryOf(key, { term, flags }))
  const pages = pagesOf(entries)
  const { incarnation, revision, digest } = o
  pages.forEach((page, i) => {
    const base = pages.length * 0x10000 + i
    tell(o, to, 'list', { incarnation, revision, digest, base, entries: page })
  })
}

/** Three monitors on each segment; where none has a leg, three by any way. */
function renewTargets(o: Ownership): void {
  const before = o.targets
  const targets: Targets[number][] = []
  for (const ifindex of ownedLegs(o)) {
    const leg = o.legs.get(ifindex)
    if (leg === undefined || o.hearing.get(ifindex)?.isDeaf === true) continue
    for (const to of monitorsOf(o, ifindex)) targets.push({ to, ifindex, mac: leg.mac })
    const isShared = [...o.peers.keys()].some((name) =>
      name !== o.self && legOf(o, name, ifindex) !== undefined
    )
    if (isShared) continue
    for (const to of monitorsOf(o, undefined)) {
      if (!targets.some((known) => known.to === to && known.ifindex === undefined)) {
        targets.push({ to, ifindex: undefined, mac: noMac })
      }
    }
  }
  o.targets = targets
  o.lastTargets = 'known'
  for (const old of before) {
    if (old.ifindex !== undefined && o.hearing.get(old.ifindex)?.isDeaf === true) continue
    const isKept = targets.some(({ to, ifindex }) => to === old.to && ifindex === old.ifindex)
    if (!isKept) sendBeat(o, old, beatOf(o, old.mac, { base: o.revision, entries: [], flags: isLast }))
  }
}
