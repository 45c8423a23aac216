/** What a node remembers of ownership: one mutable value, owned by one loop, written by `step`. */
import type { Mac } from '../l2/model.ts'
import { createSchedule, insertAt, nextDueMs, type Schedule, takeDue } from '../l2/schedule.ts'
import type { Millis } from '../net/model.ts'
import type { Lost, Returned, Unmet } from './away.ts'
import { startCredit } from './limits.ts'
import { allRules, type Rules } from './rules.ts'
import type { Asked, Attempt, EarlyPick, Own, Pause, Round, Starts } from './ongoing.ts'
import type { Entry, Message, MessageKind } from './codec.ts'
import type {
  Cause, Effect, Leg, Nominee, Note, Peer, Right, UnitAddress, Wish, World,
} from './model.ts'

export interface Unit {
  readonly key: string
  /** Instants at which it is due to be looked at. */
  readonly looks: Set<Millis>
  /** undefined = known from others only, or gone since `goneMs`. */
  wish: Wish | undefined
  goneMs: Millis
  /** Effective under the present placement rules. */
  nominees: readonly Nominee[]
  /** Names by hash, scores first; undefined until needed. */
  ranked: readonly string[] | undefined
  /** Where this node would answer each address, by its text. */
  mine: ReadonlyMap<string, ReadonlySet<number>>
  /** Came from another's unit when the two were joined: silent here until the wire has been asked. */
  readonly unproven: Set<string>
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
  /** The same as its owner says, where it has said so: for status alone. */
  ownedMs: Millis
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
  /** When this node lost it to another, since it stood still or was contested. */
  lostMs: Millis | undefined
  /** A member that membership calls dead or left was heard to answer for it; for status alone. */
  formerVoice: { readonly node: string; readonly mac: Mac; readonly text: string; readonly atMs: Millis }
    | undefined
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
  /** What was compared last, and when all of it was; undefined = all is to be compared. */
  compared: { readonly revision: number; readonly claims: number; readonly isWhole: boolean
    readonly wholeMs: Millis } | undefined
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
  /** Successors that were asked for, by MAC. */
  readonly asked: Map<Mac, Millis>
  isDeaf: boolean
  controlMs: Millis
  /** Which of the hosts besides the last two is asked next. */
  hostTurn: number
  /** When one member alone was asked, since nobody was heard. */
  glanceMs: Millis
  /** Since when this node owns something there: silence before that was not its concern. */
  watchedMs: Millis | undefined
}

export interface Witnessing {
  nextMs: Millis
  turn: number
  /** The ask under way; near = of the owner alone. */
  ask: { readonly unit: string; readonly key: bigint; readonly atMs: Millis; readonly isNear: boolean }
    | undefined
  misses: number
  /** How often its claims were opened since it last answered. */
  opened: number
}

/** Entries of one kind for one member. */
export interface Letter {
  readonly to: string
  readonly kind: MessageKind
  readonly entries: Entry[]
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

/** Pages of one suspicion that have been read, one after the other. */
export interface Suspected {
  readonly name: string
  readonly mac: Mac
  /** Own legs on the segment that it is about; undefined = everywhere. */
  readonly segments: readonly number[] | undefined
  readonly cause: Cause
  readonly units: Unit[]
  /** L: the latest that a page says. */
  lastBeatMs: Millis
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
  /** Members whose units this node claimed, since when, and the legs on which it has not heard them since. */
  readonly lost: Map<string, Lost>
  /** Members that came back by membership while this node owned something: to be asked for until heard. */
  readonly unmet: Map<string, Unmet>
  /** Members that claim what this node owns, while the wire between them is silent; since when. */
  readonly rivals: Map<string, { readonly sinceMs: Millis; readonly met: Set<number> }>
  /** Members that membership calls dead and that are heard: when all units were last checked for it. */
  readonly returned: Map<string, Returned>
  legs: ReadonlyMap<number, Leg>
  ownMacs: ReadonlySet<Mac>
  macs: Map<Mac, string>
  /** Legs of members, the lost ones too: a suspicion may be about these. */
  readonly knownLegs: Map<Mac, Leg>
  peerAddresses: ReadonlyMap<bigint, string>
  readonly units: Map<string, Unit>
  /** By `answerKey` of the address. */
  readonly byAddress: Map<bigint, { readonly unit: Unit; readonly text: string }>
  /** What wishes were read last, and under what: see `readWishes`. undefined = all are to be read. */
  wishes: readonly Wish[] | undefined
  places: string
  /** All units that are not steady (`isSteady`), besides some that are: looked into with each world. */
  readonly unsteady: Set<Unit>
  /** When units that nobody wants were last forgotten. */
  sweptMs: Millis
  /** Changed by `setOwned`, and legs of what is in it by `setLegs`. */
  readonly owned: Set<Unit>
  /** Some of it may be silent since a foreign host answers for it. */
  hasConflicts: boolean
  /** On how many owned units each leg is. */
  readonly legCounts: Map<number, number>
  readonly early: Map<string, EarlyPick>
  /** Pages of a suspicion that are still being read. */
  suspected: Suspected | undefined
  readonly hearing: Map<number, Hearing>
  /** The leg with the higher index of two on one segment, and the lower. */
  readonly twins: Map<number, number>
  readonly beats: Map<string, BeatRecord>
  /** By owner, then own leg. */
  readonly witnessing: Map<string, Map<number, Witnessing>>
  /** Cleared when the world changes. */
  readonly isWitness: Map<string, boolean>
  readonly due: Schedule<Unit>
  /** Frames that leave later: an owner's second and third answer to a probe. */
  readonly later: Schedule<{ readonly unit: Unit; readonly text: string; readonly ifindex: number
    readonly frame: Uint8Array }>
  readonly starts: Starts
  /** Units whose round waits for credit, since when; oldest first. Some have left without a word. */
  readonly line: { readonly dark: Map<Unit, Millis>; readonly rest: Map<Unit, Millis> }
  /** Own deadlines that passed lately: how often in a row, and when last. */
  expiries: { count: number; lastMs: Millis }
  /** When the loop was last late. */
  stalledMs: Millis
  /** How often lately, up to `lateMax`, as of then. */
  late: { count: number; lastMs: Millis }
  /** When it last read what may have waited for longer than others wait for a new unit's owner. */
  queuedMs: Millis
  /** When the next offer may be made. */
  offerMs: Millis
  /** Until then units whose deadline passed are in the list all the same. */
  pausedUntilMs: Millis
  /** When each member last said something straight to this node. */
  readonly spoken: Map<string, Millis>
  /** Own list as the monitors know it. */
  incarnation: number
  revision: number
  digest: number
  listed: Map<string, { readonly term: number; readonly flags: number; readonly digest: number }>
  /** A beat is due at once, for what has changed of the list. */
  isListDirty: boolean
  /** Units that may be listed otherwise than they are; with the flag, any that is owned. */
  readonly unlisted: Set<Unit>
  isListStale: boolean
  nextBeatMs: Millis
  /** Last instant of the present rights. */
  notAfterMs: Millis
  lastTargets: string
  targets: readonly { readonly to: string; readonly ifindex: number | undefined; readonly mac: Mac }[]
  load: Map<string, number> | undefined
  /** Addresses by owner, and units that were placed on somebody who has not shown yet. */
  readonly weights: Map<string, number>
  readonly picks: Set<Unit>
  /** Grows when any owner or term changes: of these, the last ones are known. */
  claimsRevision: number
  readonly touched: Unit[]
  missingMs: Millis
  missingTurn: number
  /** When own addresses are asked for next, and what was asked for last, by own leg. */
  readonly patrol: { nextMs: Millis; readonly asked: Map<number, Asked> }
  controlTurn: number
  slowMs: Millis
  wakeMs: Millis
  /** What is answered for, with deadlines as when it came; units of which that may be another by now; any. */
  readonly rights: Map<Unit, readonly Right[]>
  readonly stale: Set<Unit>
  isRightsDirty: boolean
  readonly news: Set<Unit>
  /** What leaves at the end of this step, by kind and member. */
  readonly mail: Map<string, Letter>
  wasMixed: boolean
  readonly history: Move[]
  readonly pauses: Pause[]
  out: Effect[]
  counts: { sent: number; received: number; malformed: number }
}

/** A node that knows nothing yet; its first event should be a `world`. */
export function createOwnership(self: string, rules: Rules = allRules): Ownership {
  return {
    self, rules, world: undefined, startedMs: Number.NaN, isStarting: true, isAlone: false,
    restartUntilMs: 0, mixedUntilMs: 0, peers: new Map(), deadSinceMs: new Map(), lost: new Map(),
    unmet: new Map(), rivals: new Map(), returned: new Map(), legs: new Map(), ownMacs: new Set(),
    macs: new Map(), knownLegs: new Map(), peerAddresses: new Map(), units: new Map(),
    byAddress: new Map(), wishes: undefined,
    places: '', unsteady: new Set(), sweptMs: Number.NEGATIVE_INFINITY,
    owned: new Set(), hasConflicts: false, legCounts: new Map(), early: new Map(), suspected: undefined,
    hearing: new Map(), twins: new Map(), beats: new Map(), witnessing: new Map(),
    isWitness: new Map(), due: createSchedule(), later: createSchedule(),
    starts: { nextMs: 0, credit: startCredit, atMs: 0 },
    line: { dark: new Map(), rest: new Map() },
    expiries: { count: 0, lastMs: Number.NEGATIVE_INFINITY },
    late: { count: 0, lastMs: 0 },
    offerMs: 0, pausedUntilMs: Number.POSITIVE_INFINITY, stalledMs: Number.NEGATIVE_INFINITY,
    queuedMs: Number.NEGATIVE_INFINITY,
    spoken: new Map(), incarnation: 0, revision: 0, digest: 0, listed: new Map(),
    isListDirty: false, unlisted: new Set(), isListStale: false, nextBeatMs: 0, notAfterMs: 0,
    lastTargets: '', targets: [], load: undefined,
    weights: new Map(), picks: new Set(), touched: [],
    claimsRevision: 0, missingMs: 0, missingTurn: 0, controlTurn: 0, slowMs: 0,
    wakeMs: Number.POSITIVE_INFINITY, rights: new Map(), stale: new Set(), isRightsDirty: false,
    news: new Set(), patrol: { nextMs: 0, asked: new Map() },
    mail: new Map(), wasMixed: false, history: [], pauses: [], out: [],
    counts: { sent: 0, received: 0, malformed: 0 },
  }
}

export function createUnit(key: string, now: Millis): Unit {
  return {
    key, looks: new Set(), unproven: new Set(),
    wish: undefined, goneMs: now, nominees: [], ranked: undefined, mine: new Map(),
    legs: new Set(), digest: 0, owner: undefined, term: 0, beatTerm: 0, isBeatPart: false,
    sinceMs: now, ownedMs: now, darkMs: undefined, contestedUntilMs: 0, own: undefined, attempt: undefined,
    round: undefined, picked: undefined, contestedBy: undefined, silentRival: undefined,
    pick: undefined, denied: undefined, checkMs: undefined, checkedMs: Number.NEGATIVE_INFINITY,
    shoutMs: undefined, shoutedMs: Number.NEGATIVE_INFINITY, lostMs: undefined,
    formerVoice: undefined,
  }
}

/** The unit is looked at again at `atMs`. */
export function lookAt(o: Ownership, unit: Unit, atMs: Millis): void {
  // Once for each instant: what waits asks for the same again whenever it is looked at.
  if (unit.looks.has(atMs)) return
  unit.looks.add(atMs)
  insertAt(o.due, atMs, unit)
}

/** The next unit that is to be looked at by now. */
export function takeLook(o: Ownership, now: Millis): Unit | undefined {
  const atMs = nextDueMs(o.due)
  const unit = takeDue(o.due, now)
  if (atMs !== undefined) unit?.looks.delete(atMs)
  return unit
}

export function note(o: Ownership, text: Note): void {
  o.out.push({ kind: 'note', note: text })
}

export function hearingOf(o: Ownership, ifindex: number): Hearing {
  const known = o.hearing.get(ifindex)
  if (known !== undefined) return known
  const fresh: Hearing = {
    ifindex, heardMs: undefined, hosts: new Map(), answered: new Map(), asked: new Map(), isDeaf: false,
    controlMs: 0, hostTurn: 0, glanceMs: 0, watchedMs: undefined,
  }
  o.hearing.set(ifindex, fresh)
  return fresh
}

/** Somebody owns the unit, as far as this node knows. */
export function setOwner(
  o: Ownership, unit: Unit, owner: string | undefined, now: Millis,
): void {
  if (unit.owner === owner) return
  weigh(o, unit, -1)
  unit.owner = owner
  weigh(o, unit, 1)
  unit.sinceMs = now
  unit.ownedMs = now
  unit.darkMs = owner === undefined ? unit.darkMs ?? now : undefined
  unit.picked = undefined
  touch(o, unit)
  o.load = undefined
}

/** Counts its addresses for its owner, or no longer. */
export function weigh({ weights }: Ownership, { owner, wish }: Unit, sign: 1 | -1): void {
  if (owner === undefined || wish === undefined) return
  const weight = (weights.get(owner) ?? 0) + sign * wish.addresses.length
  if (weight === 0) weights.delete(owner)
  else weights.set(owner, weight)
}

/** So many units that changed last are known at least. */
const touchedCount = 4_096

/** Its owner or term is another: who compares lists looks at it. */
export function touch(o: Ownership, unit: Unit): void {
  o.claimsRevision++
  o.touched.push(unit)
  if (o.touched.length > 2 * touchedCount) o.touched.splice(0, touchedCount)
}

export function setTerm(o: Ownership, unit: Unit, term: number): void {
  if (term <= unit.term) return
  unit.term = term
  touch(o, unit)
}

export function isAliveNode(o: Ownership, name: string): boolean {
  return name === o.self || o.peers.get(name)?.isAlive === true
}
