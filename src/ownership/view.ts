/** What a node knows of ownership, for status: units, members, what is heard where, past moves. */
import type { WireReason } from '../l2/silences.ts'
import type { Millis } from '../net/model.ts'
import { isHash, isMixed } from './fleet.ts'
import type { Cause } from './model.ts'
import { spokenLegs } from './legs.ts'
import { isForeign, isHushed } from './codec.ts'
import { isBeaten } from './lists.ts'
import type { Hush, Pause } from './ongoing.ts'
import { isUnheard } from './placing.ts'
import { reasonOf } from './silence.ts'
import { isAliveNode, type Move, type Ownership, type Unit } from './state.ts'
import { isDraining } from './units.ts'

export interface UnitView {
  readonly unit: string
  readonly addresses: readonly string[]
  readonly owner: string | undefined
  /**
   * As membership has it: `live`, or it beats here; `dead`, which it may be mistaken about; `gone` = it has
   * left, or is forgotten. undefined = nobody owns it.
   */
  readonly ownerState: 'live' | 'dead' | 'gone' | undefined
  /** Such an owner, or another former member, was heard to answer lately: its MAC, and for which address. */
  readonly formerVoice: { readonly node: string; readonly mac: string; readonly text: string } | undefined
  /** How long, in ms: as its owner says, or since this node learned of it. */
  readonly sinceMs: Millis
  /** Why this node owns it; undefined where another does, or history has forgotten. */
  readonly why: Cause | undefined
  readonly term: number
  readonly isOurs: boolean
  /** This node owns it and does not answer, for this reason. */
  readonly silence: Hush | undefined
  /** A foreign host answers: its MAC, and for which address. */
  readonly conflict: { readonly mac: string; readonly text: string } | undefined
  readonly interfaces: readonly string[]
  /** A claim of this node is waiting, or was put off for this reason. */
  readonly claim: 'waiting' | 'probing' | 'ownerAnswers' | 'segmentUnheard' | 'memberAnswers' |
    'contested' | 'inConflict' | undefined
}

export interface LegView {
  readonly name: string
  /** Ms since any other host was heard; undefined = never. */
  readonly heardAgoMs: Millis | undefined
  /** Ms since another host answered this node; undefined = never. */
  readonly answeredAgoMs: Millis | undefined
  readonly isDeaf: boolean
  /** Name of the interface on the same segment that answers in place of this one. */
  readonly twin: string | undefined
}

export interface MemberView {
  readonly name: string
  readonly isAlive: boolean
  readonly isCapable: boolean
  /** Addresses it owns, as far as known. */
  readonly owned: number
  /** Ms since its last beat reached this node; undefined = it sends us none. */
  readonly beatAgoMs: Millis | undefined
  /** Of one that membership has lost: what the wire has told of it lately; undefined = nothing. */
  readonly wire: WireSign | undefined
}

export type WireSign =
  | 'answers' // for an address of a Service
  | 'heard' // its machine at least

export interface OwnershipView {
  readonly placement: 'sticky' | 'hash'
  /** A member without our capability forces `hash` upon all. */
  readonly isMixed: boolean
  readonly isStarting: boolean
  readonly isAlone: boolean
  /** Ms until the right to answer ends; Infinity when alone; undefined when nothing is owned. */
  readonly fenceInMs: Millis | undefined
  readonly monitors: readonly string[]
  readonly units: readonly UnitView[]
  readonly legs: readonly LegView[]
  readonly members: readonly MemberView[]
  /** Newest last; `agoMs` before now. */
  readonly moves: readonly (Omit<Move, 'atMs'> & { readonly agoMs: Millis })[]
  /** Where this node, an owner, fell silent or answered again; newest last. */
  readonly pauses: readonly (Omit<Pause, 'atMs'> & { readonly agoMs: Millis })[]
  readonly counts: { readonly sent: number; readonly received: number; readonly malformed: number }
}

/** Everything as of `now`; plain values, sorted by name or key. */
export function view(o: Ownership, now: Millis): OwnershipView {
  return {
    placement: isHash(o, now) ? 'hash' : 'sticky',
    isMixed: isMixed(o, now),
    isStarting: o.isStarting,
    isAlone: o.isAlone,
    fenceInMs: o.owned.size === 0 ? undefined : o.notAfterMs - now,
    monitors: [...new Set(o.targets.map(({ to }) => to))].toSorted(),
    units: unitViews(o, now),
    legs: legViews(o, now),
    members: memberViews(o, now),
    moves: o.history.map(({ atMs, ...move }) => ({ ...move, agoMs: now - atMs })),
    pauses: o.pauses.map(({ atMs, ...pause }) => ({ ...pause, agoMs: now - atMs })),
    counts: { ...o.counts },
  }
}

/** A node that does not answer for an address, though it owns it or would. */
export interface Muted {
  readonly text: string
  readonly node: string
  /** By membership, the owner as far as known does not live: `speakerAbsent`. */
  readonly reason: WireReason | 'speakerAbsent'
  /** It is the owner: else it is so only where nobody else answers. */
  readonly isOwner: boolean
}

/** Owners that are silent, as far as this node knows, and this node where it would claim and may not. */
export function muted(o: Ownership, now: Millis): readonly Muted[] {
  return [...o.units.values()].flatMap((unit): readonly Muted[] => {
    const found = mutedClaim(o, unit, now) ?? mutedOwner(o, unit, now) ?? mutedClaimer(o, unit)
    if (found === undefined) return []
    return unit.wish?.addresses.map(({ text }) => ({ text, ...found })) ?? []
  })
}

/** Its owner beats no more, and whoever would follow has found that a foreign machine answers. */
function mutedClaim(o: Ownership, unit: Unit, now: Millis): Omit<Muted, 'text'> | undefined {
  const { attempt, owner } = unit
  if (attempt?.told !== 'inConflict' || owner === undefined || isBeaten(o, unit, owner, now)) return undefined
  return { node: owner, reason: 'inConflict', isOwner: true }
}

function mutedOwner(o: Ownership, unit: Unit, now: Millis): Omit<Muted, 'text'> | undefined {
  const { own, owner, key } = unit
  if (own !== undefined) {
    const reason = reasonOf(own.hush)
    return reason === undefined ? undefined : { node: o.self, reason, isOwner: true }
  }
  if (owner === undefined) return undefined
  const state = ownerStateOf(o, unit, now)
  if (state !== 'live') return formerOwner(unit, owner, { state, now })
  if (!isBeaten(o, unit, owner, now)) return undefined
  const flags = o.beats.get(owner)?.list.get(key)?.flags ?? 0
  if ((flags & isForeign) !== 0) return { node: owner, reason: 'inConflict', isOwner: true }
  return (flags & isHushed) === 0 ? undefined : { node: owner, reason: 'expired', isOwner: true }
}

/** One that is only dead by membership and answers may well be the owner, and cut off. */
function formerOwner(
  unit: Unit, node: string, { state, now }: { readonly state: UnitView['ownerState']; readonly now: Millis },
): Omit<Muted, 'text'> | undefined {
  if (formerVoiceOf(unit, now)?.node !== node) return { node, reason: 'speakerAbsent', isOwner: true }
  return state === 'gone' ? { node, reason: 'inConflict', isOwner: true } : undefined
}

function mutedClaimer(o: Ownership, { attempt }: Unit): Omit<Muted, 'text'> | undefined {
  const reason = attempt?.told
  if (reason !== 'inConflict' && reason !== 'segmentUnheard') return undefined
  return { node: o.self, reason, isOwner: false }
}

/** An address that a machine answers for which is no member, or none any more: then its name is known. */
export interface ForeignVoice {
  readonly text: string
  readonly mac: string
  readonly node?: string
}

/** What such machines keep this node from answering for, sorted by unit. */
export function foreignVoices(o: Ownership, now: Millis): readonly ForeignVoice[] {
  const found = [...o.units.values()].flatMap((unit) => {
    const voice = foreignVoiceOf(o, unit, now)
    return voice === undefined ? [] : [{ key: unit.key, voice }]
  })
  return found.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(({ voice }) => voice)
}

function foreignVoiceOf(o: Ownership, unit: Unit, now: Millis): ForeignVoice | undefined {
  const { own, attempt } = unit
  const voice = own?.conflict ?? (attempt?.told === 'inConflict' ? attempt.foreign : undefined)
  if (voice !== undefined) return { text: voice.text, mac: voice.mac }
  return ownerStateOf(o, unit, now) === 'gone' ? formerVoiceOf(unit, now) : undefined
}

/** What the wire has told lately of members that membership calls dead, by name. */
export function wireSigns(o: Ownership, now: Millis): ReadonlyMap<string, WireSign> {
  const signs = new Map<string, WireSign>()
  for (const [name, { heardMs }] of o.returned) {
    // The machine of one that has left lives on.
    const isMissed = !isAliveNode(o, name) && !isDraining(o, name)
    if (isMissed && now - heardMs <= formerMs) signs.set(name, 'heard')
  }
  for (const unit of o.units.values()) {
    const { node } = formerVoiceOf(unit, now) ?? {}
    if (node !== undefined && !isAliveNode(o, node)) signs.set(node, 'answers')
  }
  return signs
}

/** Whoever waits to claim from a former member that answers asks again within this. */
const formerMs: Millis = 5_000

function formerVoiceOf({ formerVoice }: Unit, now: Millis): UnitView['formerVoice'] {
  if (formerVoice === undefined || now - formerVoice.atMs > formerMs) return undefined
  const { node, mac, text } = formerVoice
  return { node, mac, text }
}

function ownerStateOf(o: Ownership, unit: Unit, now: Millis): UnitView['ownerState'] {
  const { owner } = unit
  if (owner === undefined) return undefined
  if (isAliveNode(o, owner) || isBeaten(o, unit, owner, now)) return 'live'
  // Whoever leaves says so in its last words.
  return !o.peers.has(owner) || isDraining(o, owner) ? 'gone' : 'dead'
}

/**
 * Of these, machines that are no member's for sure: not the kernel of one that answers though it should not,
 * nor one that was a member and may be again; and none while members live that tell nothing of their MACs.
 */
export function strangeVoices(o: Ownership, now: Millis): readonly ForeignVoice[] {
  if (isMixed(o, now)) return []
  return foreignVoices(o, now).filter(({ mac, node }) =>
    node === undefined && !o.macs.has(mac) && !o.ownMacs.has(mac)
  )
}

/** Who owns each address now, as far as this node knows; addresses that nobody owns are left out. */
export function ownersByAddress(o: Ownership): ReadonlyMap<string, string> {
  const owners = new Map<string, string>()
  for (const { owner, wish } of o.units.values()) {
    if (owner === undefined) continue
    for (const { text } of wish?.addresses ?? []) owners.set(text, owner)
  }
  return owners
}

function unitViews(o: Ownership, now: Millis): readonly UnitView[] {
  const why = new Map<string, Cause>()
  for (const { unit, kind, cause } of o.history) if (kind === 'claimed') why.set(unit, cause)
  const wished = [...o.units.values()].filter(({ wish }) => wish !== undefined)
  const waiting = isUnheard(o, now) ? 'segmentUnheard' : undefined
  return wished.map((unit): UnitView => {
    const { key, owner, own, attempt, round, wish } = unit
    const claim = attempt === undefined
      ? waiting
      : attempt.told ?? (round === undefined ? 'waiting' : 'probing')
    return {
      unit: key,
      addresses: wish?.addresses.map(({ text }) => text) ?? [],
      owner,
      ownerState: ownerStateOf(o, unit, now),
      formerVoice: formerVoiceOf(unit, now),
      sinceMs: now - unit.ownedMs,
      why: own === undefined ? undefined : why.get(key),
      term: own?.term ?? unit.term,
      isOurs: own !== undefined,
      silence: own?.hush,
      conflict: own?.conflict === undefined
        ? undefined
        : { mac: own.conflict.mac, text: own.conflict.text },
      interfaces: spokenLegs(o, unit).map((ifindex) => nameOf(o, ifindex)).toSorted(),
      claim,
    }
  }).toSorted((a, b) => (a.unit < b.unit ? -1 : 1))
}

function nameOf(o: Ownership, ifindex: number): string {
  return o.legs.get(ifindex)?.name ?? String(ifindex)
}

function legViews(o: Ownership, now: Millis): readonly LegView[] {
  return [...o.legs.values()].map(({ ifindex, name }): LegView => {
    const hearing = o.hearing.get(ifindex)
    const twin = o.twins.get(ifindex)
    const answeredMs = Math.max(...hearing?.answered.values() ?? [], Number.NEGATIVE_INFINITY)
    return {
      name,
      heardAgoMs: hearing?.heardMs === undefined ? undefined : now - hearing.heardMs,
      answeredAgoMs: Number.isFinite(answeredMs) ? now - answeredMs : undefined,
      isDeaf: hearing?.isDeaf ?? false,
      twin: twin === undefined ? undefined : nameOf(o, twin),
    }
  }).toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function memberViews(o: Ownership, now: Millis): readonly MemberView[] {
  const owned = new Map<string, number>()
  for (const { owner, wish } of o.units.values()) {
    if (owner === undefined || wish === undefined) continue
    owned.set(owner, (owned.get(owner) ?? 0) + wish.addresses.length)
  }
  const signs = wireSigns(o, now)
  return [...o.peers.values()].map(({ name, isAlive, isCapable }): MemberView => {
    const heardMs = Math.max(...o.beats.get(name)?.heard.values() ?? [], Number.NEGATIVE_INFINITY)
    return {
      name, isAlive, isCapable, owned: owned.get(name) ?? 0,
      beatAgoMs: Number.isFinite(heardMs) ? now - heardMs : undefined,
      wire: signs.get(name),
    }
  }).toSorted((a, b) => (a.name < b.name ? -1 : 1))
}
