/** What each interface hears, whether this node is heard there, and an owner that is deaf. */
import type { Mac } from '../l2/model.ts'
import type { Address, Millis } from '../net/model.ts'
import { sameAddress } from '../net/address.ts'
import { prefixContains } from '../net/range.ts'
import { legOf, macsOf } from './fleet.ts'
import {
  controlMs, deafMs, glanceMs, hostCount, meetMs, metMs, missingAskers, missingMs, missingSlowAfterMs,
  missingSlowMs, probeGapMs, quietMs, returnedMaxMs, returnedMs, rivalCount,
} from './limits.ts'
import type { Peer } from './model.ts'
import { spokenLegs } from './legs.ts'
import { hush } from './own.ts'
import { restateAll } from './stale.ts'
import { type Hearing, hearingOf, isAliveNode, lookAt, type Ownership, type Unit } from './state.ts'
import { loadOf } from './units.ts'
import { controlFrame, isLinkLocal, type Sighting } from './wire.ts'

/** A frame of another host arrived: the leg hears, and perhaps is heard. */
export function hear(
  o: Ownership, ifindex: number, sighting: Sighting, atMs: Millis,
): void {
  const leg = o.legs.get(ifindex)
  if (leg === undefined) return
  const hearing = hearingOf(o, ifindex)
  const wasSilent = hearing.heardMs === undefined || atMs - hearing.heardMs > quietMs
  hearing.heardMs = Math.max(hearing.heardMs ?? 0, atMs)
  rememberHost(o, hearing, sighting, atMs)
  const node = o.macs.get(sighting.from)
  if (node !== undefined) meet(o, node, ifindex, atMs)
  if (sighting.to === leg.mac && sighting.isAnswer) {
    hearing.answered.set(sighting.asserts?.mac ?? sighting.from, atMs)
    if (hearing.answered.size > hostCount) dropOldest(hearing.answered)
  }
  if (hearing.isDeaf) recover(o, hearing, atMs)
  else if (wasSilent) hastenUnheard(o, ifindex, atMs)
}

/** A member that was lost, is missing by membership, or claims too, is there: what is ours is checked. */
function meet(o: Ownership, node: string, ifindex: number, now: Millis): void {
  const wasLost = isFound(o, node, ifindex)
  const wasUnmet = isFoundAmong(o, o.unmet, node, ifindex)
  const rival = o.rivals.get(node)
  if (rival === undefined && isAliveNode(o, node) && !wasLost && !wasUnmet) return
  if (rival?.met.has(ifindex) === true) return
  rival?.met.add(ifindex)
  if ([...o.legs.keys()].every((leg) => rival?.met.has(leg) === true || legOf(o, node, leg) === undefined)) {
    o.rivals.delete(node)
  }
  // It has been silent on this leg: the wire has just been joined.
  const isNew = rival !== undefined && now - rival.sinceMs > returnedMs
  if (!isReturned(o, node, now) && !isNew) return
  for (const unit of o.owned) {
    if (unit.own?.hush !== undefined || unit.round !== undefined) continue
    unit.checkMs = now
    lookAt(o, unit, now)
  }
}

/** Whether a lost member is heard again on this leg: lost until it is on all of those that it still has. */
function isFound(o: Ownership, node: string, ifindex: number): boolean {
  const lost = o.lost.get(node)
  if (lost === undefined) return false
  lost.isSilent = false
  return isFoundAmong(o, o.lost, node, ifindex)
}

function isFoundAmong(
  o: Ownership, among: Map<string, { readonly legs: Set<number> }>, node: string, ifindex: number,
): boolean {
  const legs = among.get(node)?.legs
  if (legs === undefined) return false
  const was = legs.delete(ifindex)
  if ([...legs].every((leg) => legOf(o, node, leg) === undefined)) among.delete(node)
  return was
}

/**
 * Whether to ask the wire again. One that was silent has come back: at once. One that goes on being
 * heard, and is missing by membership alone, was found or not found by the last checks.
 */
function isReturned(o: Ownership, node: string, now: Millis): boolean {
  const known = o.returned.get(node)
  const isBack = known === undefined || now - known.heardMs > returnedMs
  const isDue = known === undefined || now >= known.checkedMs + (isBack ? returnedMs : known.gapMs)
  if (known !== undefined) known.heardMs = now
  if (!isDue) return false
  const gapMs = isBack ? returnedMs : Math.min(returnedMaxMs, 2 * (known?.gapMs ?? returnedMs))
  o.returned.set(node, { checkedMs: now, heardMs: now, gapMs })
  return true
}

function rememberHost(o: Ownership, hearing: Hearing, sighting: Sighting, atMs: Millis): void {
  const known = hearing.hosts.get(sighting.from)
  const said = sighting.asserts?.mac === sighting.from ? sighting.asserts.address : undefined
  hearing.hosts.delete(sighting.from)
  hearing.hosts.set(sighting.from, { address: known?.address ?? said, atMs })
  if (hearing.hosts.size > hostCount) forgetHost(o, hearing)
}

/** A member goes first: others count as hosts also when membership has lost everybody. */
function forgetHost(o: Ownership, { hosts }: Hearing): void {
  for (const mac of hosts.keys()) if (o.macs.has(mac)) return void hosts.delete(mac)
  dropOldest(hosts)
}

function dropOldest<T>(map: Map<Mac, T>): void {
  const [first] = map.keys()
  if (first !== undefined) map.delete(first)
}

/** Heard again: one probe round, then the units are resumed. */
function recover(o: Ownership, hearing: Hearing, now: Millis): void {
  hearing.isDeaf = false
  restateAll(o)
  o.lastTargets = ''
  for (const unit of o.owned) {
    if (!unit.legs.has(hearing.ifindex) || unit.own === undefined) continue
    if (unit.own.hush === undefined) hush(o, unit, 'ownerDeaf', now)
    // Whatever silenced it, the wire could not be asked while nobody was heard.
    else if (unit.own.hush === 'ownerDeaf' || unit.own.probeMs <= now) {
      unit.own.probeMs = now
      lookAt(o, unit, now)
    }
  }
}

/** Claims that wait because nobody was heard are tried at once when somebody is. */
function hastenUnheard(o: Ownership, ifindex: number, now: Millis): void {
  for (const unit of o.units.values()) {
    if (unit.attempt?.told !== 'segmentUnheard' || !unit.legs.has(ifindex)) continue
    if (unit.round !== undefined || unit.attempt.startMs <= now) continue
    unit.attempt.startMs = now
    lookAt(o, unit, now)
  }
}

/**
 * Whether anybody should be there: a host that was heard, or a live member with a leg in a prefix of ours;
 * but not the suspect, nor members that are gone. Those count too where something is to be claimed from a
 * suspect (only one that never heard another host claims unheard), and on a leg that has heard nobody since
 * it had no carrier: it was this node that was away.
 */
function hasOthers(
  o: Ownership, { ifindex, hosts, heardMs }: Hearing, suspect: string | undefined,
): boolean {
  const isAnyone = suspect !== undefined || heardMs === undefined
  if (isAnyone && [...hosts.keys()].some((mac) => o.macs.get(mac) !== suspect)) return true
  const isThere = (name: string): boolean =>
    name !== suspect && isAliveNode(o, name) && o.lost.get(name)?.legs.has(ifindex) !== true
  for (const mac of hosts.keys()) {
    const node = o.macs.get(mac)
    if (node === undefined || isThere(node)) return true
  }
  return membersOn(o, ifindex).some(({ name }) => isThere(name))
}

/**
 * Whether silence on the leg means anything: since `sinceMs` another host than the suspect has
 * answered a control, or there is none.
 */
export function isHeardOn(
  o: Ownership, ifindex: number, sinceMs: Millis, suspect: string | undefined,
): boolean {
  if (!o.rules.hasControls) return true
  const hearing = hearingOf(o, ifindex)
  const except = macsOf(o, suspect)
  for (const [mac, atMs] of hearing.answered) {
    if (atMs >= sinceMs && !except.has(mac)) return true
  }
  return !hasOthers(o, hearing, suspect)
}

/** The leg is deaf, or nobody has answered what was asked there lately. */
export function isCutOff(o: Ownership, ifindex: number, now: Millis): boolean {
  const { isDeaf, controlMs, answered } = hearingOf(o, ifindex)
  if (isDeaf) return true
  const isAsked = controlMs > 0 && now - controlMs < deafMs
  return isAsked && ![...answered.values()].some((atMs) => now - atMs < deafMs)
}

function sendAsk(o: Ownership, ifindex: number, frame: Uint8Array): void {
  o.out.push({ kind: 'send', ifindex, frame, notAfterMs: Number.POSITIVE_INFINITY })
}

/**
 * Whether a member is heard on each leg that this node answers for the unit on, where it has one too;
 * asks for it where it is not known.
 */
export function isMet(o: Ownership, unit: Unit, node: string, now: Millis): boolean {
  let isKnown = true
  for (const ifindex of unit.legs) {
    const own = o.legs.get(ifindex)
    const leg = legOf(o, node, ifindex)
    const target = leg?.addresses.find(({ address }) => !isLinkLocal(address))?.address
    if (own === undefined || leg === undefined || target === undefined) continue
    const { answered, asked } = hearingOf(o, ifindex)
    if (now - (answered.get(leg.mac) ?? Number.NEGATIVE_INFINITY) < metMs) continue
    isKnown = false
    if (now - (asked.get(leg.mac) ?? Number.NEGATIVE_INFINITY) < meetMs) continue
    asked.set(leg.mac, now)
    if (asked.size > hostCount) dropOldest(asked)
    sendAsk(o, ifindex, controlFrame(own, target))
  }
  return isKnown
}

/** Asks the gateway, a live member, the hosts heard last and one of the others; once in a probe's gap. */
export function sendControls(
  o: Ownership, ifindex: number, now: Millis, suspect: string | undefined,
): void {
  const leg = o.legs.get(ifindex)
  const hearing = hearingOf(o, ifindex)
  if (leg === undefined || now < hearing.controlMs + probeGapMs) return
  hearing.controlMs = now
  for (const address of controlTargets(o, hearing, suspect)) {
    sendAsk(o, ifindex, controlFrame(leg, address))
  }
}

/**
 * Each leg asks once whether anybody is there: a node that has never had to ask would take itself for
 * the last one when it is cut off.
 */
export function greet(o: Ownership, now: Millis): void {
  if (o.isAlone) return
  for (const ifindex of o.legs.keys()) {
    if (hearingOf(o, ifindex).controlMs === 0) sendControls(o, ifindex, now, undefined)
  }
}

/** A start that goes on since nobody is heard: each leg asks again and again. */
export function seek(o: Ownership, now: Millis): void {
  if (o.isAlone) return
  for (const ifindex of o.legs.keys()) sendControls(o, ifindex, now, undefined)
}

function controlTargets(
  o: Ownership, hearing: Hearing, suspect: string | undefined,
): readonly Address[] {
  const targets: Address[] = [...(o.world?.gateways.get(hearing.ifindex) ?? [])]
  const member = memberTarget(o, hearing.ifindex, suspect)
  if (member !== undefined) targets.push(member)
  const except = macsOf(o, suspect)
  const hosts = [...hearing.hosts].filter(([mac]) => !except.has(mac)).toReversed()
  // The two heard last may have died with the suspect: one of those before goes with them, in turn.
  const turn = 2 + hearing.hostTurn++ % Math.max(1, hosts.length - 2)
  for (const [mac, { address }] of [...hosts.slice(0, 2), ...hosts.slice(turn, turn + 1)]) {
    const target = addressOf(o, mac, address)
    if (target !== undefined) targets.push(target)
  }
  return targets.filter((a, i) => targets.findIndex((b) => sameAddress(a, b)) === i)
}

/** One live member with a leg on the segment, the next one each time. */
function memberTarget(
  o: Ownership, ifindex: number, suspect: string | undefined,
): Address | undefined {
  return nextMember(o, membersOn(o, ifindex).filter(({ name }) => name !== suspect))?.address
}

function nextMember(o: Ownership, near: readonly Near[]): Near | undefined {
  return near[o.controlTurn++ % Math.max(1, near.length)]
}

interface Near {
  readonly name: string
  readonly mac: Mac
  readonly address: Address
}

/** Live members with a leg on the segment, and where each can be asked. */
function membersOn(o: Ownership, ifindex: number): readonly Near[] {
  return [...o.peers.values()].flatMap(({ name, isAlive }) => {
    const leg = isAlive && name !== o.self ? legOf(o, name, ifindex) : undefined
    const own = leg?.addresses.find(({ address }) => !isLinkLocal(address))
    return leg === undefined || own === undefined ? [] : [{ name, mac: leg.mac, address: own.address }]
  })
}

/** Where a host can be asked: a member at its own address, not at one that it owns for now. */
function addressOf(o: Ownership, mac: Mac, seen: Address | undefined): Address | undefined {
  const peer = o.peers.get(o.macs.get(mac) ?? '')
  const leg = peer?.legs.find((each) => each.mac === mac)
  const own = leg?.addresses.find(({ address }) => !isLinkLocal(address))
  return own?.address ?? seen
}

/** Owners that hear nobody ask, then fall silent. Returns the next instant to look. */
export function watchHearing(o: Ownership, now: Millis): Millis {
  let nextMs = Number.POSITIVE_INFINITY
  const owned = ownedLegs(o)
  for (const [ifindex, hearing] of o.hearing) if (!owned.has(ifindex)) hearing.watchedMs = undefined
  if (o.isAlone || !o.rules.hasControls) return nextMs
  for (const ifindex of owned) {
    const hearing = hearingOf(o, ifindex)
    hearing.watchedMs ??= now
    if (hearing.heardMs === undefined || !hasOthers(o, hearing, undefined)) continue
    const sinceMs = Math.max(hearing.heardMs, hearing.watchedMs)
    const silentMs = now - sinceMs
    if (silentMs < quietMs) {
      if (silentMs >= glanceMs && hearing.glanceMs < sinceMs) glance(o, ifindex, now)
      nextMs = Math.min(nextMs, sinceMs + (silentMs < glanceMs ? glanceMs : quietMs))
      continue
    }
    if (silentMs >= deafMs && !hearing.isDeaf) deafen(o, hearing, now)
    if (now >= hearing.controlMs + controlMs) sendControls(o, ifindex, now, undefined)
    nextMs = Math.min(nextMs, hearing.controlMs + controlMs)
    if (!hearing.isDeaf) nextMs = Math.min(nextMs, sinceMs + deafMs)
  }
  return nextMs
}

/** Asks one member that should be there, and nobody else: at rest this is all that is said. */
function glance(o: Ownership, ifindex: number, now: Millis): void {
  hearingOf(o, ifindex).glanceMs = now
  const leg = o.legs.get(ifindex)
  const near = membersOn(o, ifindex).filter(({ name, mac }) => mac !== '' && !o.lost.has(name))
  const target = nextMember(o, near)
  if (leg !== undefined && target !== undefined) {
    sendAsk(o, ifindex, controlFrame(leg, target.address, target.mac))
  }
}

export function ownedLegs(o: Ownership): ReadonlySet<number> {
  return new Set([...o.legCounts.keys()].toSorted((a, b) => a - b))
}

function deafen(o: Ownership, hearing: Hearing, now: Millis): void {
  hearing.isDeaf = true
  restateAll(o)
  o.lastTargets = ''
  for (const unit of o.owned) {
    if (!unit.legs.has(hearing.ifindex) || unit.own?.hush !== undefined) continue
    if (spokenLegs(o, unit).length === 0) hush(o, unit, 'ownerDeaf', now)
  }
}

/** Whether a silent owner may probe: not while all its legs are deaf. */
export function isAllDeaf(o: Ownership, unit: Unit): boolean {
  return unit.legs.size > 0 &&
    [...unit.legs].every((ifindex) => o.hearing.get(ifindex)?.isDeaf === true)
}

/**
 * An owner asks for missing members, and for those whose units it claimed, one after the other: a healed
 * split is noticed at once, also before membership has called anybody dead.
 */
export function askMissing(o: Ownership, now: Millis): Millis {
  if (o.owned.size === 0) return Number.POSITIVE_INFINITY
  const missing = [...o.peers.values()].filter(({ isAlive, name, legs }) =>
    (!isAlive || o.lost.has(name) || o.unmet.has(name)) && name !== o.self && legs.length > 0
  )
  const rivals = nextRivals(o)
  if (missing.length + rivals.length === 0) return Number.POSITIVE_INFINITY
  if (now < o.missingMs) return o.missingMs
  const peer = missing[o.missingTurn++ % Math.max(1, missing.length)]
  const asked = new Set([...rivals, ...peer === undefined ? [] : [peer]])
  for (const leg of [...asked].flatMap(({ legs }) => legs)) {
    const target = leg.addresses.find(({ address }) => !isLinkLocal(address))?.address
    const ifindex = target === undefined ? undefined : legFor(o, target)
    const own = ifindex === undefined ? undefined : o.legs.get(ifindex)
    if (target === undefined || ifindex === undefined || own === undefined) continue
    sendAsk(o, ifindex, controlFrame(own, target))
  }
  const isLong = [...missing, ...rivals].every(({ name }) => {
    const since = o.lost.get(name) ?? o.rivals.get(name) ?? o.unmet.get(name)
    return now - (o.deadSinceMs.get(name) ?? since?.sinceMs ?? now) > missingSlowAfterMs
  })
  const isSure = rivals.length === 0 && missing.every(({ name }) => !o.lost.has(name))
  o.missingMs = now + (isLong ? missingSlowMs : missingMs) * (isSure ? askersOf(o, now) : 1)
  return o.missingMs
}

/**
 * Members that own something, in tens: whoever is missing by membership is missing for all of them, and one
 * that meets it is heard by the others of its side, so that they need not ask more often together.
 */
export function askersOf(o: Ownership, now: Millis): number {
  const owners = [...loadOf(o, now)].filter(([name, load]) => load > 0 && isAliveNode(o, name)).length
  return Math.max(1, owners / missingAskers)
}

/** Two at a time, in turn. */
function nextRivals(o: Ownership): readonly Peer[] {
  const all = [...o.rivals.keys()].flatMap((name) => o.peers.get(name) ?? [])
  const first = all.length > rivalCount ? o.missingTurn * rivalCount % all.length : 0
  return [...all.slice(first), ...all.slice(0, first)].slice(0, rivalCount)
}

function legFor(o: Ownership, target: Address): number | undefined {
  for (const leg of o.legs.values()) {
    if (leg.addresses.some(({ prefix }) => prefixContains(prefix, target))) return leg.ifindex
  }
  return undefined
}
