/** Ownership of addresses as one step function: what happened and now, to what must be done. */
import { answerKey } from '../l2/responder.ts'
import { nextDueMs } from '../l2/schedule.ts'
import { isSameList } from '../l2/unit.ts'
import type { Millis } from '../net/model.ts'
import { isFenced, sendBeats, sendList } from './beats.ts'
import { isBeating, orphanDead, orphanStray, orphanVacant, postponeUnheard } from './claim.ts'
import { claimsMessage, gossipNews, onClaims, onQuery, onReply } from './claims.ts'
import { decodeMessage, isPart, type Message } from './codec.ts'
import { onContested, type Rival } from './compare.ts'
import { onProbe, onRival, onVoice, recogniseMembers } from './conflict.ts'
import { forgetGone, isMixed, isSameButWishes, readFleet } from './fleet.ts'
import { onOffer, onRefusal, reviewOwned, stepOffer } from './handover.ts'
import { askMissing, greet, hear, isAllDeaf, seek, watchHearing } from './hearing.ts'
import { pausedMs, slowMs, stallMs, unheardRetryMs } from './limits.ts'
import { heirOf } from './lists.ts'
import { serveLine, takeTurn } from './line.ts'
import { sendMail } from './mail.ts'
import type { Effect, Event, ReadFrame, ReceivedFrame, ReceivedMessage, World } from './model.ts'
import { onBeat, onList, onWithdrawal, watchBeats } from './monitor.ts'
import { announce, hush, release, resume, sendLater, stepShout, take } from './own.ts'
import {
  acceptPick, endStart, findIdle, hasStarted, onPick, placeUnits, startDueMs, stepPick,
} from './placing.ts'
import { patrol } from './patrol.ts'
import { renewRights } from './rights.ts'
import { startRound, stepRound } from './round.ts'
import { countExpiry, countLate, jittered, noteQueue, strainOf } from './strain.ts'
import { outdate, restateAll } from './stale.ts'
import { lookAt, note, type Ownership, takeLook, type Unit } from './state.ts'
import { orphanWithdrawn, recogniseStranger } from './stranger.ts'
import { stepWaiting } from './suppressed.ts'
import { mayOwn, readWishes } from './units.ts'
import { endSuspicion, onSuspicion } from './suspicion.ts'
import { endTrial } from './trial.ts'
import { endWiden, widen } from './widen.ts'
import { readPacket, type Sighting } from './wire.ts'
import { onWitnessed, watchOwners } from './witness.ts'

/**
 * Takes one event at `now` (CLOCK_BOOTTIME, ms) and returns what the shell must perform, in order.
 * See `Event` for what the shell owes. Claims and beats are made in `wake` alone.
 */
export function step(o: Ownership, event: Event, now: Millis): readonly Effect[] {
  o.out = []
  if (now > o.wakeMs + stallMs) countLate(o, now)
  noteQueue(o, event, now)
  if (isFenced(o, now)) expire(o, now)
  switch (event.kind) {
    case 'world':
      takeWorld(o, event.world, now)
      // Stalled: what it has not read yet comes first, as in `wake`.
      if (now > o.wakeMs + stallMs) return [...flush(o), { kind: 'wake', atMs: o.wakeMs }]
      break
    case 'frames':
      takeFrames(o, event.frames, now)
      break
    case 'messages':
      for (const message of event.messages) takeMessage(o, message, now)
      endSuspicion(o, now)
      break
    case 'wake':
      if (now > o.wakeMs + stallMs) {
        // Stalled: whatever is queued is read first; nothing is sent from what was known before.
        o.wakeMs = now
        o.stalledMs = now
        return [...flush(o), { kind: 'wake', atMs: now }]
      }
      return wake(o, now)
  }
  return settle(o, now)
}

/** Work that is due waits for `wake`, which comes when all queues have been read. */
function settle(o: Ownership, now: Millis): readonly Effect[] {
  const dueMs = Math.min(nextDueMs(o.due) ?? o.wakeMs, nextDueMs(o.later) ?? o.wakeMs)
  const hasWork = o.isListDirty || (o.isStarting && hasStarted(o, now))
  o.wakeMs = hasWork ? now : Math.max(now, Math.min(o.wakeMs, dueMs, startDueMs(o, now)))
  return [...flush(o), { kind: 'wake', atMs: o.wakeMs }]
}

/** The claims that this node knows, for gossip's push/pull; who gets them takes them as a message. */
export function exportClaims(o: Ownership, now: Millis): Uint8Array {
  return claimsMessage(o, now)
}

/** The deadline has passed: nothing extends it; one probe round, then the units are resumed. */
function expire(o: Ownership, now: Millis): void {
  const isFirst = [...o.owned].some((unit) => unit.own !== undefined && unit.own.hush === undefined)
  if (!isFirst) return
  countExpiry(o, now)
  const waitMs = strainOf(o, now)
  o.pausedUntilMs = now + pausedMs
  // Whoever fails again and again waits no more with what it was silent for before.
  o.isListStale = true
  for (const unit of o.owned) {
    const { own } = unit
    if (own === undefined || own.hush !== undefined) continue
    unit.round = undefined
    hush(o, unit, 'expired', now)
    own.probeMs = now + jittered(o, unit, waitMs)
    lookAt(o, unit, own.probeMs)
  }
}

function takeWorld(o: Ownership, world: World, now: Millis): void {
  const isFirst = o.world === undefined
  if (isFirst) {
    o.startedMs = now
    o.incarnation = Math.floor(now) >>> 0
    o.slowMs = now + slowMs
  }
  const { world: before } = o
  o.world = world
  // Who is there is the same value for as long as it is the same.
  if (before?.peers !== world.peers || !isSameList(before.expected, world.expected)) {
    readFleet(o, world, now)
    o.isWitness.clear()
  }
  o.lastTargets = ''
  takeWishes(o, world, { now, isSame: isSameButWishes(before, world) })
  if (world.isLeaving !== true) return
  for (const unit of [...o.owned]) release(o, unit, { cause: 'handOver', to: undefined }, now)
}

function takeWishes(
  o: Ownership, world: World, { now, isSame }: { readonly now: Millis; readonly isSame: boolean },
): void {
  o.load = undefined
  const isReviewed = isSame && o.wasMixed === isMixed(o, now)
  o.wasMixed = isMixed(o, now)
  const { fresh, vacant, unwanted, read } = readWishes(o, world, now)
  for (const unit of unwanted) release(o, unit, { cause: 'unwanted', to: undefined }, now)
  if (o.hasConflicts) recogniseMembers(o, now)
  for (const unit of fresh) {
    const early = o.early.get(unit.key)
    o.early.delete(unit.key)
    if (early !== undefined) acceptPick(o, unit, early, now)
  }
  if (!o.isStarting) {
    // Known only after the start, they had an owner before everything was restarted.
    const isBack = ({ wish }: Unit): boolean => now < o.restartUntilMs && wish?.hint !== undefined
    const open = fresh.filter(({ pick }) => pick === undefined)
    placeUnits(o, open.filter(isBack), { isFresh: false, isStart: true }, now)
    placeUnits(o, open.filter((unit) => !isBack(unit)), { isFresh: true, isStart: false }, now)
    orphanVacant(o, vacant, now)
    reviewOwned(o, now, isReviewed ? read : o.owned)
    orphanDead(o, now)
    orphanWithdrawn(o, now)
  }
}

function takeFrames(o: Ownership, frames: readonly ReadFrame[], now: Millis): void {
  const probes: { readonly received: ReceivedFrame; readonly sighting: Sighting }[] = []
  for (const received of frames) {
    const sighting = readPacket(received.packet)
    if (sighting === undefined || !o.legs.has(received.ifindex)) continue
    if (o.ownMacs.has(sighting.from)) {
      findTwin(o, received.ifindex, sighting)
      continue
    }
    // A fabric's answer in our own name says nothing of anybody else.
    if (sighting.asserts !== undefined && o.ownMacs.has(sighting.asserts.mac)) continue
    learnMember(o, sighting)
    hear(o, received.ifindex, sighting, received.receivedAtMs)
    if (sighting.asserts !== undefined) sightVoice(o, received, sighting, now)
    if (sighting.isProbe) probes.push({ received, sighting })
  }
  // Voices first: what they silence is not defended against a probe of the same batch.
  for (const { received: { ifindex, frame }, sighting } of probes) {
    const found = sighting.asks === undefined ? undefined : o.byAddress.get(answerKey(sighting.asks))
    if (found === undefined) continue
    onProbe(o, found.unit, { text: found.text, mac: sighting.from, ifindex, frame }, now)
  }
}

/** Our own frame on another leg: both are on one segment, and only the lower one answers. */
function findTwin(o: Ownership, ifindex: number, { from }: Sighting): void {
  for (const leg of o.legs.values()) {
    if (leg.mac !== from || leg.ifindex === ifindex) continue
    const [low, high] = [Math.min(ifindex, leg.ifindex), Math.max(ifindex, leg.ifindex)]
    if (o.twins.get(high) === low) continue
    o.twins.set(high, low)
    restateAll(o)
  }
}

/** A member is known by the address of its node where nobody has told whose MAC that is. */
function learnMember(o: Ownership, { asserts }: Sighting): void {
  if (asserts === undefined || o.knownLegs.has(asserts.mac)) return
  const node = o.peerAddresses.get(answerKey(asserts.address))
  if (node !== undefined && o.macs.get(asserts.mac) !== node) o.macs.set(asserts.mac, node)
}

function sightVoice(
  o: Ownership, { ifindex, receivedAtMs }: ReceivedFrame, sighting: Sighting, now: Millis,
): void {
  const { asserts } = sighting
  if (asserts === undefined || o.ownMacs.has(asserts.mac)) return
  const found = o.byAddress.get(answerKey(asserts.address))
  if (found === undefined) return
  const node = o.macs.get(asserts.mac) ?? recogniseStranger(o, found.unit, asserts.mac, now)
  if (node !== undefined) onWitnessed(o, node, { ifindex, address: answerKey(asserts.address) })
  const isToUs = sighting.to === o.legs.get(ifindex)?.mac
  onVoice(o, found.unit, {
    text: found.text, mac: asserts.mac, ifindex, atMs: receivedAtMs, isToUs,
  }, now)
}

function takeMessage(o: Ownership, received: ReceivedMessage, now: Millis): void {
  o.counts.received++
  if (!received.isGossip && o.peers.has(received.from)) o.spoken.set(received.from, received.receivedAtMs)
  const message = decodeMessage(received.bytes)
  if (message?.kind !== 'suspicion') endSuspicion(o, now)
  if (message === undefined) o.counts.malformed++
  else dispatch(o, received, message, now)
}

function dispatch(o: Ownership, received: ReceivedMessage, message: Message, now: Millis): void {
  const { from, receivedAtMs: atMs } = received
  const rival: Rival = (unit, name, { term, flags }) =>
    onRival(o, unit, { rival: name, term, isPartly: (flags & isPart) !== 0 }, now)
  switch (message.kind) {
    case 'beat':
      return onBeat(o, from, message, { atMs, now, onRival: rival })
    case 'list':
      return onList(o, from, message, { now, onRival: rival })
    case 'ask':
      return sendList(o, from)
    case 'contested':
      return onContested(o, from, message, rival)
    case 'suspicion':
      return onSuspicion(o, message, { atMs, now })
    case 'withdrawal':
      return onWithdrawal(o, message)
    case 'pick':
      return onPick(o, from, message, { atMs, now })
    case 'offer':
      return onOffer(o, from, message, { atMs, now })
    case 'refusal':
      return onRefusal(o, from, message, now)
    case 'claims':
      return onClaims(o, from, message, now)
    case 'query':
      return onQuery(o, from, message, now)
    case 'reply':
      return onReply(o, from, message, now)
  }
}

function wake(o: Ownership, now: Millis): readonly Effect[] {
  if (o.isStarting && hasStarted(o, now)) endStart(o, now)
  const lineAtMs = serveLine(o, now)
  for (;;) {
    const unit = takeLook(o, now)
    if (unit === undefined) break
    stepUnit(o, unit, now)
  }
  let nextMs = o.isStarting ? now + slowMs / 4 : Number.POSITIVE_INFINITY
  if (now >= o.slowMs) lookSlowly(o, now)
  nextMs = Math.min(nextMs, o.slowMs, watchBeats(o, now), watchHearing(o, now), askMissing(o, now))
  nextMs = Math.min(nextMs, watchOwners(o, now), patrol(o, now), lineAtMs)
  nextMs = Math.min(nextMs, beatFirst(o, now))
  gossipNews(o, now)
  sendLater(o, now)
  const dueMs = Math.min(nextDueMs(o.due) ?? nextMs, nextDueMs(o.later) ?? nextMs)
  o.wakeMs = Math.max(now, Math.min(nextMs, dueMs))
  return [...flush(o), { kind: 'wake', atMs: o.wakeMs }]
}

/** Beats leave before everything else that this wake has to send, and is decided after all of it. */
function beatFirst(o: Ownership, now: Millis): Millis {
  const { out } = o
  o.out = []
  const nextMs = sendBeats(o, now)
  o.out.push(...out)
  return nextMs
}

function lookSlowly(o: Ownership, now: Millis): void {
  o.slowMs = now + slowMs
  forgetGone(o, now)
  if (o.world !== undefined && o.wasMixed !== isMixed(o, now)) takeWishes(o, o.world, { now, isSame: false })
  if (o.isStarting) return seek(o, now)
  greet(o, now)
  reviewOwned(o, now)
  findIdle(o, now)
  orphanStray(o, now)
  orphanDead(o, now)
  orphanWithdrawn(o, now)
}

function stepUnit(o: Ownership, unit: Unit, now: Millis): void {
  if (unit.wish === undefined) return
  stepPick(o, unit, now)
  stepShout(o, unit, now)
  if (unit.round !== undefined && isBeating(o, unit, now)) return
  if (!takeTurn(o, unit, now)) return
  if (unit.round !== undefined) {
    const ended = stepRound(o, unit, now)
    if (ended === undefined) return
    // What became due meanwhile.
    if (unit.own?.offer !== undefined || unit.own?.scope !== undefined) lookAt(o, unit, now)
    const { round: { purpose, legs }, heard } = ended
    if (purpose === 'claim') return endClaim(o, unit, { legs, heard }, now)
    if (purpose === 'resume') return endResume(o, unit, heard, now)
    return purpose === 'widen' ? endWiden(o, unit, ended, now) : endCheck(o, unit, heard, now)
  }
  stepOffer(o, unit, now)
  if (unit.own === undefined) return stepWaiting(o, unit, now)
  if (unit.own.hush === undefined) {
    if (unit.checkMs === undefined) return widen(o, unit, now)
    if (now < unit.checkMs) return lookAt(o, unit, unit.checkMs)
    unit.checkMs = undefined
    return startRound(o, unit, 'check', { atMs: now, legs: unit.legs })
  }
  if (now < unit.own.probeMs) return lookAt(o, unit, unit.own.probeMs)
  if (unit.own.hush === 'handOver') hush(o, unit, 'contested', now)
  if (isAllDeaf(o, unit)) return lookAt(o, unit, now + slowMs)
  if (leaveToHeir(o, unit, now)) return
  startRound(o, unit, 'resume', { atMs: now, legs: unit.own.scope ?? unit.legs })
}

/** A silent owner that gets another's beats need not ask: whoever is busy answers late, and beats first. */
function leaveToHeir(o: Ownership, unit: Unit, now: Millis): boolean {
  const to = o.rules.hasTerms ? heirOf(o, unit, now) : undefined
  if (to === undefined) return false
  release(o, unit, { cause: unit.own?.hush === 'expired' ? 'expired' : 'contested', to }, now)
  return true
}

/** A check that nobody answered changes nothing, but for addresses that were in doubt. */
function endCheck(o: Ownership, unit: Unit, heard: ReadonlySet<number>, now: Millis): void {
  endTrial(o, unit, heard, now)
  if (unit.unproven.size === 0 || unit.own === undefined) return
  if (heard.size === 0) {
    unit.checkMs = now + unheardRetryMs
    return lookAt(o, unit, unit.checkMs)
  }
  unit.unproven.clear()
  outdate(o, unit)
  announce(o, unit)
}

function endClaim(
  o: Ownership, unit: Unit,
  { legs, heard }: { legs: ReadonlySet<number>; heard: ReadonlySet<number> },
  now: Millis,
): void {
  const { attempt } = unit
  if (attempt === undefined) return
  if (!mayOwn(o, unit, now)) return void (unit.attempt = undefined)
  if (heard.size === 0) return postponeUnheard(o, unit, now)
  // Nobody asks on a twin; a leg that is new since the round began has still to be asked for.
  const isWhole = [...unit.legs].every((ifindex) => heard.has(ifindex) ||
    (!legs.has(ifindex) && attempt.segments === undefined && unit.legs.has(o.twins.get(ifindex) ?? -1))
  )
  take(o, unit, {
    cause: attempt.cause, from: attempt.suspect, isProvisional: attempt.isProvisional,
    scope: isWhole ? undefined : heard,
  }, now)
}

function endResume(o: Ownership, unit: Unit, heard: ReadonlySet<number>, now: Millis): void {
  const { own } = unit
  if (own === undefined || leaveToHeir(o, unit, now)) return
  if (heard.size === 0) {
    own.probeMs = now + unheardRetryMs
    return lookAt(o, unit, own.probeMs)
  }
  const conflict = own.hush === 'conflict' ? own.conflict : undefined
  if (own.hush === 'conflict') own.defendedMs = now
  own.conflict = undefined
  if (conflict !== undefined) {
    const { text, mac } = conflict
    note(o, { kind: 'conflictEnded', unit: unit.key, text, mac })
  }
  // Where a member owns the other segments, `widen` asks for them.
  own.scope = [...unit.legs].every((ifindex) => heard.has(ifindex)) ? undefined : heard
  if (own.hush === 'contested') unit.silentRival = unit.contestedBy
  own.probeMs = now + unheardRetryMs
  if (own.scope !== undefined) lookAt(o, unit, own.probeMs)
  resume(o, unit, now)
}

/** The rights go before all else: what is lost is lost at once, and what is won may be asked at once. */
function flush(o: Ownership): readonly Effect[] {
  sendMail(o)
  const { out } = o
  o.out = []
  const change = renewRights(o)
  if (change === undefined) return out
  return [change, ...change.kind === 'rights' ? out.filter(({ kind }) => kind !== 'extend') : out]
}
