/** Voices of others for an address: members that own or claim it too, and foreign hosts. */
import type { Mac } from '../l2/model.ts'
import { insertAt } from '../l2/schedule.ts'
import type { Millis } from '../net/model.ts'
import { endAttempt, postpone } from './claim.ts'
import { entryOf } from './codec.ts'
import {
  conflictMaxMs, conflictMinMs, defendMs, graceMs, probeCount, probeGapMs, quietMs, rankMs, repeatLimit,
  repeatMs, reportAfterMs, returnedMs, roundMs, settleMs, slowMs, startMs, takenMs, unheardRetryMs, yieldMs,
} from './limits.ts'
import { isMixed } from './fleet.ts'
import { mail } from './mail.ts'
import { isCutOff } from './hearing.ts'
import { isSpoken } from './legs.ts'
import type { Round, Voice } from './ongoing.ts'
import { hush, release, shout } from './own.ts'
import { askAnswerer } from './patrol.ts'
import { startRound } from './round.ts'
import { outdate } from './stale.ts'
import { answersAsked, suspectAnswers } from './suppressed.ts'
import {
  hearingOf, isAliveNode, lookAt, note, type Ownership, setOwner, setTerm, type Unit,
} from './state.ts'
import { isDraining } from './units.ts'
import { answerFrame } from './wire.ts'

/** A frame asserts one of the unit's addresses for a MAC that is not ours. */
export function onVoice(o: Ownership, unit: Unit, voice: Voice, now: Millis): void {
  const node = o.macs.get(voice.mac)
  if (node !== undefined && !isAliveNode(o, node)) {
    unit.formerVoice = { node, mac: voice.mac, text: voice.text, atMs: now }
  }
  if (unit.own !== undefined && unit.unproven.has(voice.text)) return doubtAgain(o, unit, now)
  if (unit.own !== undefined) {
    if (node === undefined) foreignVoice(o, unit, voice, now)
    else memberVoice(o, unit, { node, voice }, now)
    return
  }
  if (node === undefined) {
    if (unit.round !== undefined && unit.attempt !== undefined) foreignAnswer(o, unit, voice, now)
    return
  }
  if (unit.attempt !== undefined && unit.attempt.suspect === node) {
    // On a segment that is not claimed it may answer, and does.
    if (unit.round?.legs.has(voice.ifindex) === false) return
    if (unit.round !== undefined) suspectAnswers(o, unit, voice, now)
    else if (voice.isToUs) answersAsked(o, unit, voice, now)
    return
  }
  unit.pick = undefined
  if (unit.owner === node && unit.attempt === undefined) return
  const wasProbing = unit.round !== undefined
  if (wasProbing && unit.attempt !== undefined && isDenied(unit, node, now)) {
    tellStrict(o, unit, node, voice)
    return foreignAnswer(o, unit, voice, now)
  }
  if (isLeft(unit, voice.ifindex)) return setOwner(o, unit, node, now)
  endAttempt(o, unit, node, now)
  if (!wasProbing) return
  note(o, { kind: 'postponed', unit: unit.key, reason: 'memberAnswers' })
  mail(o, node, 'query', entryOf(unit.key, { term: unit.term }))
}

/** Its former owner, or a foreign host, still answers: this one is silent, and asks again. */
function doubtAgain(o: Ownership, unit: Unit, now: Millis): void {
  if (unit.round?.purpose === 'check') unit.round = undefined
  unit.checkMs = now + unheardRetryMs
  lookAt(o, unit, unit.checkMs)
}

/**
 * A member has it on this leg: the claim goes on for the others, where it may not be heard, until it
 * answers there too or says that it has all. False: there is no other.
 */
function isLeft(unit: Unit, ifindex: number): boolean {
  const { attempt, round } = unit
  if (attempt === undefined) return false
  const isOther = (leg: number): boolean => leg !== ifindex
  const left = [...attempt.segments ?? unit.legs].filter(isOther)
  if (left.length === 0) return false
  attempt.segments = new Set(left)
  const legs = [...round?.legs ?? []].filter(isOther)
  if (round !== undefined) unit.round = legs.length === 0 ? undefined : { ...round, legs: new Set(legs) }
  return true
}

/** It has just said that it does not own the unit: its kernel answers all the same. */
function isDenied(unit: Unit, node: string, now: Millis): boolean {
  return unit.denied?.node === node && now < unit.denied.untilMs
}

function tellStrict(o: Ownership, unit: Unit, node: string, { text, mac }: Voice): void {
  if (unit.denied?.isTold === true) return
  if (unit.denied !== undefined) unit.denied.isTold = true
  note(o, { kind: 'strictARP', node, text, mac })
}

/** Of all that is owned; notes whether anything is in conflict still. */
export function recogniseMembers(o: Ownership, now: Millis): void {
  o.hasConflicts = false
  for (const unit of o.owned) {
    recogniseMember(o, unit, now)
    o.hasConflicts ||= unit.own?.hush === 'conflict'
  }
}

/** What was taken for a foreign host has proved to be a member: it may own the unit. */
function recogniseMember(o: Ownership, unit: Unit, now: Millis): void {
  const { own } = unit
  if (own?.hush !== 'conflict' || own.conflict === undefined) return
  if (!o.macs.has(own.conflict.mac) || unit.denied?.isTold === true) return
  own.conflict = undefined
  hush(o, unit, 'contested', now)
}

/** Another member answers for what we own: silence at once, then the wire decides. */
function memberVoice(
  o: Ownership, unit: Unit, { node, voice }: { node: string; voice: Voice }, now: Millis,
): void {
  const { own, round } = unit
  if (own === undefined) return
  if (own.scope?.has(voice.ifindex) === false) {
    // That segment is another's. Of two that are heard on both, the lower name keeps all.
    own.unansweredMs = undefined
    if (round?.purpose === 'widen') {
      unit.round = undefined
      if (node < o.self) offerTo(o, unit, node, now)
    }
    return lookAt(o, unit, own.offer?.nextMs ?? own.probeMs)
  }
  if (own.offer?.to === node) {
    return release(o, unit, { cause: own.offer.cause, to: node }, now)
  }
  // Offered to it lately and then to another, since it was late: it has taken it all the same.
  if (now < (own.refused.get(node) ?? 0) && isDraining(o, o.self)) {
    return release(o, unit, { cause: 'handOver', to: node }, now)
  }
  const isUnderWay = node === own.handedBy && now < own.graceUntilMs
  if (isUnderWay && own.hush === undefined) return shout(o, unit, now)
  if (own.hush === undefined && askAnswerer(o, unit, { ...voice, node })) return
  if (own.hush === undefined) return contest(o, unit, node, now)
  own.isDisputed = true
  if (round === undefined) return
  // What was under way when the round began is no answer to it.
  if (voice.atMs < round.startMs + graceMs) return
  if (isDenied(unit, node, now)) {
    tellStrict(o, unit, node, voice)
    hush(o, unit, 'conflict', now)
    return foreignVoice(o, unit, voice, now)
  }
  const left = [...round.legs].filter((ifindex) => ifindex !== voice.ifindex)
  if (left.length > 0) {
    // Its part; if it has all, it will be heard on the others too.
    own.scope = new Set(left)
    outdate(o, unit)
    unit.round = { ...round, legs: own.scope }
    return
  }
  release(o, unit, { cause: own.hush === 'expired' ? 'expired' : 'contested', to: node }, now)
  mail(o, node, 'query', entryOf(unit.key, { term: unit.term }))
}

/** Somebody has a higher term, or a voice: this owner is silent at once and probes. */
export function contest(o: Ownership, unit: Unit, rival: string, now: Millis): void {
  if (unit.own?.hush !== undefined) return
  unit.round = undefined
  unit.contestedBy = rival
  hush(o, unit, 'contested', now)
  if (rival !== o.self) mail(o, rival, 'query', entryOf(unit.key, { term: unit.term }))
}

export interface Claimer {
  readonly rival: string
  readonly term: number
  readonly isGossip?: boolean
  /** It owns some segments only. */
  readonly isPartly?: boolean
}

/**
 * Another member owns the unit with `term`, as a message or a beat says. A segment that it claimed
 * because nothing is heard of it here costs us the others too: they are handed over to it. Where it
 * owns some segments only, these need not be ours: the wire says, while we answer.
 */
export function onRival(o: Ownership, unit: Unit, claimer: Claimer, now: Millis): void {
  const { own } = unit
  const { rival, term } = claimer
  if (own === undefined || term < own.term || rival === o.self || !o.rules.hasTerms) return
  setTerm(o, unit, term)
  // The wire has just shown that it is not on it; until its MAC is heard, messages prove nothing.
  if (unit.silentRival === rival && o.rivals.has(rival)) return
  addRival(o, rival, now)
  if (own.hush === 'conflict' && term > own.term) {
    own.conflict = undefined
    return hush(o, unit, 'contested', now)
  }
  if (own.offer?.to === rival) {
    // What it has of some segments it had before.
    return claimer.isPartly === true ? undefined : onTaken(o, unit, rival, now)
  }
  if (now < own.graceUntilMs && term <= own.term) return
  const legs = [...unit.legs]
  const unheard = legs.filter((ifindex) => {
    const { heardMs } = hearingOf(o, ifindex)
    const isDumb = own.scope?.has(ifindex) === false && isCutOff(o, ifindex, now)
    return heardMs === undefined || now - heardMs > quietMs || isDumb
  })
  const isPartlyCut = unheard.length > 0 && unheard.length < legs.length
  const isLess = own.hasLost && claimer.isPartly === true
  if ((isPartlyCut || isLess) && own.hush === undefined && offerTo(o, unit, rival, now)) return
  const isApart = claimer.isPartly === true && unheard.length === 0
  if (claimer.isGossip === true || isApart) check(o, unit, now)
  else contest(o, unit, rival, now)
}

/**
 * The successor says that it has taken over. Its voice is what ends this owner; where the message
 * was faster, or is all that comes, this owner is silent and asks: the two may have been separated.
 */
function onTaken(o: Ownership, unit: Unit, rival: string, now: Millis): void {
  const { own } = unit
  if (own?.offer === undefined) return
  if (unit.legs.size === 0) return release(o, unit, { cause: own.offer.cause, to: rival }, now)
  if (own.hush !== undefined) return
  unit.round = undefined
  unit.contestedBy = rival
  hush(o, unit, 'handOver', now)
  own.probeMs = now + takenMs
  lookAt(o, unit, own.probeMs)
}

/** Hands over to a member that owns some of the segments already; false where that has just been refused. */
function offerTo(o: Ownership, unit: Unit, to: string, now: Millis): boolean {
  const { own } = unit
  if (own === undefined || now < own.joinMs) return false
  own.offer ??= {
    to, cause: 'handOver', sinceMs: now, againMs: returnedMs, isOptional: false, isReturn: false,
    isJoining: true, asks: 0, tries: 0, nextMs: now,
  }
  lookAt(o, unit, now)
  return true
}

/** Asked for on the wire until it is heard there: then it is seen who answers. */
export function addRival(o: Ownership, rival: string, now: Millis): void {
  if (!o.peers.has(rival) || o.rivals.has(rival)) return
  o.rivals.set(rival, { sinceMs: now, met: new Set() })
}

/** An owner that may have a rival probes while it answers, once a second at most. */
export function check(o: Ownership, unit: Unit, now: Millis): void {
  if (unit.own?.hush !== undefined || unit.round !== undefined) return
  if (now < unit.checkedMs + returnedMs) return
  unit.checkedMs = now
  startRound(o, unit, 'check', { atMs: now, legs: unit.legs })
}

/** A foreign host asserts what we own: silent in the same frame; it goes on beating. */
function foreignVoice(o: Ownership, unit: Unit, voice: Voice, now: Millis): void {
  const { own, round } = unit
  if (own === undefined) return
  const { mac, text, ifindex } = voice
  if (!isSpoken(o, unit, ifindex) && own.hush === undefined) return
  if (own.hush === 'conflict') {
    // Only an answer to a probe says that the host stays.
    if (round === undefined || voice.atMs < round.startMs) return
    unit.round = undefined
    const laterMs = Math.min(conflictMaxMs, (own.conflict?.everyMs ?? conflictMinMs / 2) * 2)
    // A member that tells nothing of its MAC, and does not see the others yet, will give it back soon.
    const everyMs = isMixed(o, now) ? slowMs : laterMs
    const isTold = own.conflict?.isTold === true && own.conflict.mac === mac
    own.conflict = { mac, text, everyMs, isTold: true }
    own.probeMs = now + everyMs
    lookAt(o, unit, own.probeMs)
    if (!isTold) note(o, { kind: 'inConflict', unit: unit.key, text, mac })
    return
  }
  unit.round = undefined
  hush(o, unit, 'conflict', now)
  const isSecond = now - own.defendedMs < defendMs
  own.probeMs = isSecond ? own.defendedMs + defendMs : now + settleMs
  lookAt(o, unit, own.probeMs)
}

/** A foreign host answers a claim's probe: nobody owns the address but it. */
function foreignAnswer(o: Ownership, unit: Unit, { mac, text }: Voice, now: Millis): void {
  // At a start, members are not known by their MACs yet; nor are those that tell nothing of them.
  const isEarly = unit.attempt !== undefined && now - unit.attempt.sinceMs < reportAfterMs
  if (now < o.startedMs + startMs || (isMixed(o, now) && isEarly)) {
    return postpone(o, unit, { reason: 'memberAnswers', waitMs: unheardRetryMs }, now)
  }
  const isTold = unit.attempt?.told === 'inConflict'
  if (unit.attempt !== undefined) unit.attempt.foreign = { text, mac }
  unit.contestedUntilMs = now + conflictMinMs
  postpone(o, unit, { reason: 'inConflict', waitMs: conflictMinMs }, now)
  if (!isTold) note(o, { kind: 'inConflict', unit: unit.key, text, mac })
}

/** One prober's round is waited for, not its next ones: it may be deaf, and never claim. */
function waitFor(o: Ownership, unit: Unit, mac: Mac, now: Millis): void {
  const { attempt } = unit
  if (attempt === undefined) return
  const yielded = attempt.yielded ??= new Map()
  const sinceMs = yielded.get(mac)
  const isAgain = sinceMs !== undefined && now - sinceMs < yieldMs
  if (!isAgain) yielded.set(mac, now)
  if (isAgain && now - sinceMs > roundMs) return
  attempt.startMs = Math.max(attempt.startMs, now + rankMs)
  lookAt(o, unit, attempt.startMs)
}

export interface Probe {
  readonly text: string
  readonly mac: Mac
  readonly ifindex: number
  readonly frame: Uint8Array
}

/** Somebody probes for one of the unit's addresses. */
export function onProbe(o: Ownership, unit: Unit, probe: Probe, now: Millis): void {
  const { text } = probe
  const leg = o.legs.get(probe.ifindex)
  if (leg === undefined) return
  if (unit.own !== undefined && unit.own.hush === undefined) {
    const frame = answerFrame(probe.frame, leg.mac)
    if (!o.macs.has(probe.mac) || frame === undefined || !isSpoken(o, unit, probe.ifindex)) return
    if (o.later.entries.length >= repeatLimit) return
    for (const afterMs of repeatMs) {
      insertAt(o.later, now + afterMs, { unit, text, ifindex: probe.ifindex, frame })
    }
    return
  }
  // RFC 5227 §2.1.1: whoever else probes wants it too, member or not; the lower MAC goes on.
  if (!o.rules.hasTieBreak) return
  const isLower = probe.mac < leg.mac
  if (unit.attempt !== undefined && unit.round === undefined) waitFor(o, unit, probe.mac, now)
  else if (unit.attempt !== undefined && isLower) {
    unit.round = undefined
    const yielded = unit.attempt.yielded ??= new Map()
    yielded.set(probe.mac, yielded.get(probe.mac) ?? now)
    // The odd time keeps two from meeting again and again.
    unit.attempt.startMs = Math.max(unit.attempt.startMs, now + rankMs + 17 * yielded.size)
    lookAt(o, unit, unit.attempt.startMs)
  } else if (unit.own !== undefined && unit.round !== undefined && isLower) {
    unit.round = undefined
    unit.own.probeMs = now + rankMs
    lookAt(o, unit, unit.own.probeMs)
  } else if (unit.round !== undefined) probeLastAgain(o, unit, unit.round, now)
}

/**
 * This node goes on to claim or resume, but its loop is so late that the other may have begun after its last
 * probe, and end before its first announcement: that probe is repeated, and whoever waits for it sees it.
 */
function probeLastAgain(o: Ownership, unit: Unit, round: Round, now: Millis): void {
  if (round.sent < probeCount || now <= round.startMs + roundMs + probeGapMs) return
  unit.round = { ...round, sent: probeCount - 1, startMs: now - (probeCount - 1) * probeGapMs }
  lookAt(o, unit, now)
}
