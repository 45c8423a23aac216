/** What a node knows of ownership, for status: units, members, what is heard where, past moves. */
import type { Millis } from '../net/model.ts'
import { isHash, isMixed } from './fleet.ts'
import type { Cause } from './model.ts'
import { spokenLegs } from './legs.ts'
import type { Hush } from './ongoing.ts'
import { isUnheard } from './placing.ts'
import type { Move, Ownership } from './state.ts'

export interface UnitView {
  readonly unit: string
  readonly addresses: readonly string[]
  readonly owner: string | undefined
  /** How long, in ms, as far as known. */
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
}

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
    counts: { ...o.counts },
  }
}

/** An address that a machine answers for which is no member. */
export interface ForeignVoice {
  readonly text: string
  readonly mac: string
}

/** What foreign machines keep this node from answering for, sorted by unit. */
export function foreignVoices(o: Ownership): readonly ForeignVoice[] {
  return [...o.units.values()].flatMap(({ key, own, attempt }) => {
    const voice = own?.conflict ?? (attempt?.told === 'inConflict' ? attempt.foreign : undefined)
    return voice === undefined ? [] : [{ key, text: voice.text, mac: voice.mac }]
  }).toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(({ text, mac }) => ({ text, mac }))
}

/**
 * Of these, machines that are no member's for sure: not the kernel of one that answers though it should not;
 * and none while members live that tell nothing of their MACs.
 */
export function strangeVoices(o: Ownership, now: Millis): readonly ForeignVoice[] {
  if (isMixed(o, now)) return []
  return foreignVoices(o).filter(({ mac }) => !o.macs.has(mac) && !o.ownMacs.has(mac))
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
      sinceMs: now - unit.sinceMs,
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
  return [...o.peers.values()].map(({ name, isAlive, isCapable }): MemberView => {
    const heardMs = Math.max(...o.beats.get(name)?.heard.values() ?? [], Number.NEGATIVE_INFINITY)
    return {
      name, isAlive, isCapable, owned: owned.get(name) ?? 0,
      beatAgoMs: Number.isFinite(heardMs) ? now - heardMs : undefined,
    }
  }).toSorted((a, b) => (a.name < b.name ? -1 : 1))
}
