/** What a node remembers of ownership: one mutable value, owned by one loop, written by `step`. */
import type { Mac } from '../l2/model.ts'
import { createSchedule, insertAt, type Schedule } from '../l2/schedule.ts'
import type { Millis } from '../net/model.ts'
import { encodeMessage, type Entry, type Message, messageOf, type MessageKind } from './codec.ts'
import type {
  Cause, Effect, Leg, Nominee, Note, Peer, Postponement, Right, UnitAddress, Wish, World,
} from './model.ts'

/** Why an owner is silent. */
export type Hush = 'contested' | 'conflict' | 'ownerDeaf' | 'expired'

/** A hand-over under way. */
export interface Offer {
  readonly to: string
  readonly cause: Cause
  readonly sinceMs: Millis
  /** Where it is refused, it is not made again for so long. */
  readonly againMs: Millis
  tries: number
  nextMs: Millis
}

/** This node owns the unit. */
export interface Own {
  /** undefined = it answers. */
  hush: Hush | undefined
  /** Carried by our beats; below the unit's when somebody has claimed after us. */
  term: number
  readonly sinceMs: Millis
  hushedMs: Millis
  /** When a silent owner probes (again). */
  probeMs: Millis
  /** It was handed to us: frames of the old owner that are under way until then mean nothing. */
  graceUntilMs: Millis
  /** Only these legs were claimed, the others are another's; undefined = all. */
  scope: ReadonlySet<number> | undefined
  provisionalUntilMs: Millis
  offer: Offer | undefined
  /** Successors that refused or did not answer, until when. */
  readonly refused: Map<string, Millis>
  better: { readonly node: string; readonly sinceMs: Millis } | undefined
  defendedMs: Millis
  /** It lost one of its segments, and has not been offered to a node with more. */
  isCut: boolean
  /** It has fewer legs than when it came to own it. */
  hasLost: boolean
  /** Since when this node may not own it any more. */
  ineligibleMs: Millis | undefined
  conflict: { readonly mac: Mac; readonly text: string; everyMs: Millis; isTold: boolean } | undefined
}

/** A claim that waits for its turn. */
export interface Attempt {
  readonly suspect: string | undefined
  readonly cause: Cause
  /** L: no beat of the owner was received after this. */
  lastBeatMs: Millis
  startMs: Millis
  readonly sinceMs: Millis
  /** Legs on which the owner is silent; undefined = all. */
  segments: Set<number> | undefined
  backoffMs: Millis
  told: Postponement | undefined
  /** Its MAC was asked by unicast since this instant (ARP suppression). */
  unicastMs: Millis | undefined
  readonly isProvisional: boolean
  /** When it was last said that the suspect is silent. */
  toldMs: Millis
  /** Whose probes made it wait, since when: each only once for a while. */
  readonly yielded: Map<Mac, Millis>
}

/** A pick that came before the unit it speaks of. */
export interface EarlyPick {
  readonly from: string
  readonly term: number
  readonly flags: number
  readonly atMs: Millis
}

/**
 * Probes under way: for a claim, by a silent owner, by an owner that answers all the while, or by an
 * owner of some segments on the others.
 */
export interface Round {
  readonly purpose: 'claim' | 'resume' | 'check' | 'widen'
  readonly startMs: Millis
  readonly legs: ReadonlySet<number>
  sent: number
}

export interface Unit {
  readonly key: string
  /** undefined = known from others only, or gone since `goneMs`. */
  wish: Wish | undefined
  goneMs: Millis
  /** Effective under the present placement rules. */
  nominees: readonly Nominee[]
  /** Names by hash, scores first; undefined until needed. */
  ranked: readonly string[] | undefined
  /** Where this node would answer each address, by its text. */
  mine: ReadonlyMap<string, ReadonlySet<number>>
  /** Union of `mine`. */
  legs: ReadonlySet<number>
  digest: number
  owner: string | undefined
  /** The highest known. */
  term: number
  /** The highest known by beats: what gossip alone has told contests nobody's beats. */
  beatTerm: number
  /** Who told it last, by beats or claims, owns it on some segments only. */
  isBeatPart: boolean
  sinceMs: Millis
  /** Instant since which nobody is known to answer. */
  darkMs: Millis | undefined
  /** Its owner says that a foreign host interferes: nobody claims it before this. */
  contestedUntilMs: Millis
  own: Own | undefined
  attempt: Attempt | undefined
  round: Round | undefined
  /** Whose claim has silenced this owner last, and whom a probe round then did not find. */
  contestedBy: string | undefined
  silentRival: string | undefined
  /** It said that it does not own this. */
  denied: { readonly node: string; readonly untilMs: Millis; isTold: boolean } | undefined
  /** Told to a node that has not shown yet. */
  picked: { readonly node: string; readonly untilMs: Millis } | undefined
  /** An owner probes while it answers: when next. */
  checkMs: Millis | undefined
  checkedMs: Millis
  /** Announced again at this instant: somebody else was heard to answer for it. */
  shoutMs: Millis | undefined
  shoutedMs: Millis
  /** Somebody placed it here: to be done in the next wake. */
  pick: { readonly isFresh: boolean; readonly cause: Cause; readonly from: string | undefined
    readonly atMs: Millis; readonly isProvisional: boolean } | undefined
}

/** What another node's beats have told. */
export interface BeatRecord {
  readonly owner: string
  incarnation: number
  revision: number
  digest: number
  /** Terms and flags by unit. */
  list: Map<string, { readonly term: number; readonly flags: number }>
  /** Pages of a list that is on its way. */
  pages: { revision: number; readonly parts: Map<number, Message> } | undefined
  askedMs: Millis
  /** Receipt of the last beat by own leg; 0 = by any way. */
  readonly heard: Map<number, Millis>
  /** The MAC that its beats left on, by own leg. */
  readonly macs: Map<number, Mac>
  /** Legs on which silence has been stated, how often and when again. */
  readonly suspected: Map<number, { count: number; nextMs: Millis }>
  contestedMs: Millis
  /** Who was told that its owner is silent, by own leg; 0 = anywhere. */
  readonly told: Map<number, Set<string>>
  /** Revision and `claimsRevision` that were compared last. */
  compared: string
}

/** What one interface hears. */
export interface Hearing {
  readonly ifindex: number
  /** Any frame of another host; undefined = never. */
  heardMs: Millis | undefined
  /** Hosts lately heard, by MAC, with an address to ask for. */
  readonly hosts: Map<Mac, { readonly address: UnitAddress['address'] | undefined; readonly atMs: Millis }>
  /** Hosts that answered us, by MAC. */
  readonly answered: Map<Mac, Millis>
  isDeaf: boolean
  controlMs: Millis
  /** Since when this node owns something there: silence before that was not its concern. */
  watchedMs: Millis | undefined
}

export interface Witnessing {
  nextMs: Millis
  turn: number
  /** The ask under way. */
  ask: { readonly unit: string; readonly key: bigint; readonly atMs: Millis
    readonly ifindex: number } | undefined
  misses: number
  /** How often its claims were opened since it last answered. */
  opened: number
}

/** One entry of the history, newest last. */
export interface Move {
  readonly atMs: Millis
  readonly unit: string
  readonly kind: 'claimed' | 'released'
  readonly cause: Cause
  readonly from: string | undefined
  readonly to: string | undefined
  readonly darkMs: Millis | undefined
}

/**
 * Rules that the simulator leaves out, one at a time, to see that its checks notice. Production has
 * no way to say anything but `allRules`.
 */
export interface Rules {
  /** A right ends F after the last beat. */
  readonly hasFence: boolean
  /** Silence counts only where this node hears; a deaf owner stops. */
  readonly hasControls: boolean
  /** Of two that probe at once, the lower MAC goes on. */
  readonly hasTieBreak: boolean
  /** Beats and claims with a higher term contest an owner. */
  readonly hasTerms: boolean
}

export const allRules: Rules = {
  hasFence: true, hasControls: true, hasTieBreak: true, hasTerms: true,
}

export interface Ownership {
  readonly self: string
  readonly rules: Rules
  world: World | undefined
  startedMs: Millis
  isStarting: boolean
  /** No other node is known or expected: nobody can ever claim. */
  isAlone: boolean
  /** Everything was restarted: placements may move once, until then. */
  restartUntilMs: Millis
  /** Members without our capability live, or did until 10 s ago. */
  mixedUntilMs: Millis
  peers: ReadonlyMap<string, Peer>
  deadSinceMs: Map<string, Millis>
  /** Members whose units this node claimed, and that it has not heard since. */
  readonly lost: Set<string>
  /** Members that claim what this node owns, while the wire between them is silent; since when. */
  readonly rivals: Map<string, { readonly sinceMs: Millis; readonly met: Set<number> }>
  /** When a member that membership calls dead was last answered by a check of all units. */
  readonly returned: Map<string, Millis>
  legs: ReadonlyMap<number, Leg>
  ownMacs: ReadonlySet<Mac>
  macs: Map<Mac, string>
  /** Legs of members, the lost ones too: a suspicion may be about these. */
  readonly knownLegs: Map<Mac, Leg>
  peerAddresses: ReadonlyMap<bigint, string>
  readonly units: Map<string, Unit>
  /** By `answerKey` of the address. */
  readonly byAddress: Map<bigint, { readonly unit: Unit; readonly text: string }>
  /** What wishes were read under last: see `readWishes`. */
  places: string
  readonly owned: Set<Unit>
  readonly early: Map<string, EarlyPick>
  readonly hearing: Map<number, Hearing>
  /** The leg with the higher index of two on one segment, and the lower. */
  readonly twins: Map<number, number>
  readonly beats: Map<string, BeatRecord>
  readonly witnessing: Map<string, Witnessing>
  /** Cleared when the world changes. */
  readonly isWitness: Map<string, boolean>
  readonly due: Schedule<Unit>
  /** Frames that leave later: an owner's second and third answer to a probe. */
  readonly later: Schedule<{ readonly unit: Unit; readonly text: string; readonly ifindex: number
    readonly frame: Uint8Array }>
  starts: { baseMs: Millis; used: number }
  /** Own list as the monitors know it. */
  incarnation: number
  revision: number
  digest: number
  listed: Map<string, { readonly term: number; readonly flags: number }>
  isListDirty: boolean
  nextBeatMs: Millis
  /** Last instant of the present rights. */
  notAfterMs: Millis
  lastTargets: string
  targets: readonly { readonly to: string; readonly ifindex: number | undefined; readonly mac: Mac }[]
  load: Map<string, number> | undefined
  /** Grows when any owner or term changes. */
  claimsRevision: number
  missingMs: Millis
  missingTurn: number
  controlTurn: number
  slowMs: Millis
  wakeMs: Millis
  isRightsDirty: boolean
  rights: readonly Right[]
  readonly news: Set<Unit>
  /** Offers of this turn, by successor. */
  readonly offers: Map<string, Entry[]>
  wasMixed: boolean
  readonly history: Move[]
  out: Effect[]
  counts: { sent: number; received: number; malformed: number }
}

/** A node that knows nothing yet; its first event should be a `world`. */
export function createOwnership(self: string, rules: Rules = allRules): Ownership {
  return {
    self, rules, world: undefined, startedMs: Number.NaN, isStarting: true, isAlone: false,
    restartUntilMs: 0, mixedUntilMs: 0, peers: new Map(), deadSinceMs: new Map(), lost: new Set(),
    rivals: new Map(), returned: new Map(), legs: new Map(), ownMacs: new Set(), macs: new Map(),
    knownLegs: new Map(),
    peerAddresses: new Map(), units: new Map(), byAddress: new Map(), places: '', owned: new Set(),
    early: new Map(), hearing: new Map(), twins: new Map(), beats: new Map(), witnessing: new Map(),
    isWitness: new Map(), due: createSchedule(), later: createSchedule(),
    starts: { baseMs: 0, used: 0 }, incarnation: 0, revision: 0, digest: 0, listed: new Map(),
    isListDirty: false, nextBeatMs: 0, notAfterMs: 0, lastTargets: '', targets: [], load: undefined,
    claimsRevision: 0, missingMs: 0, missingTurn: 0, controlTurn: 0, slowMs: 0,
    wakeMs: Number.POSITIVE_INFINITY, isRightsDirty: false, rights: [], news: new Set(),
    offers: new Map(), wasMixed: false, history: [], out: [],
    counts: { sent: 0, received: 0, malformed: 0 },
  }
}

export function createUnit(key: string, now: Millis): Unit {
  return {
    key, wish: undefined, goneMs: now, nominees: [], ranked: undefined, mine: new Map(),
    legs: new Set(), digest: 0, owner: undefined, term: 0, beatTerm: 0, isBeatPart: false,
    sinceMs: now, darkMs: undefined,
    contestedUntilMs: 0, own: undefined, attempt: undefined, round: undefined, picked: undefined,
    contestedBy: undefined, silentRival: undefined,
    pick: undefined, denied: undefined, checkMs: undefined, checkedMs: Number.NEGATIVE_INFINITY,
    shoutMs: undefined, shoutedMs: Number.NEGATIVE_INFINITY,
  }
}

/** The unit is looked at again at `atMs`. */
export function lookAt(o: Ownership, unit: Unit, atMs: Millis): void {
  insertAt(o.due, atMs, unit)
}

export function tell(
  o: Ownership, to: string, kind: MessageKind, rest: Partial<Message>,
): void {
  o.counts.sent++
  o.out.push({ kind: 'tell', to, ifindex: undefined, bytes: encodeMessage(messageOf(kind, rest)) })
}

export function note(o: Ownership, text: Note): void {
  o.out.push({ kind: 'note', note: text })
}

export function hearingOf(o: Ownership, ifindex: number): Hearing {
  const known = o.hearing.get(ifindex)
  if (known !== undefined) return known
  const fresh: Hearing = {
    ifindex, heardMs: undefined, hosts: new Map(), answered: new Map(), isDeaf: false, controlMs: 0,
    watchedMs: undefined,
  }
  o.hearing.set(ifindex, fresh)
  return fresh
}

/** Somebody owns the unit, as far as this node knows. */
export function setOwner(
  o: Ownership, unit: Unit, owner: string | undefined, now: Millis,
): void {
  if (unit.owner === owner) return
  unit.owner = owner
  unit.sinceMs = now
  unit.darkMs = owner === undefined ? unit.darkMs ?? now : undefined
  unit.picked = undefined
  o.claimsRevision++
  o.load = undefined
}

export function setTerm(o: Ownership, unit: Unit, term: number): void {
  if (term <= unit.term) return
  unit.term = term
  o.claimsRevision++
}

export function isAliveNode(o: Ownership, name: string): boolean {
  return name === o.self || o.peers.get(name)?.isAlive === true
}
