/** Decides what this node sends unprompted, which groups it joins, and what it may answer. */
import type { Address, Millis } from '../net/model.ts'
import { announceArp } from './arp.ts'
import type { Announcement, LinkState } from './model.ts'
import { type Neighbour, solicitedNodeGroup, unsolicited } from './ndp.ts'
import { type Answer, type AnswerLink, answerKey, type AnswerTable } from './responder.ts'
import { createSchedule, insertAt, nextDueMs, type Schedule, takeDue } from './schedule.ts'
import { type Changes, changesOf } from './span.ts'

/**
 * Instants of the announcement burst after the claim: dense at first, because one lost frame must
 * not cost a client a second; then 1.1 s apart up to 5 s, because old kernels ignore updates that
 * follow within a second (MetalLB's spacing).
 */
export const burstMs: readonly Millis[] = [
  0, 20, 60, 140, 300, 600, 1_100, 2_200, 3_300, 4_400,
]

/** Mean time between refreshes, and its largest deviation: keeps switch tables from ageing out. */
export const refreshMs: Millis = 30_000
export const refreshJitter = 0.2

/** Mean gap between two refresh rounds on one interface, at least: at most 50 rounds a second. */
export const refreshGapMs: Millis = 20

/**
 * Refreshes leave at multiples of this, some together: one that leaves alone wakes every other host,
 * and with 1,000 addresses that was much of what speakers did at rest.
 */
export const refreshGridMs: Millis = 500

/**
 * Shortest mean gap between two rounds of bursts on one interface: 5,000 a second, so that 1,000
 * addresses are claimed within 200 ms and 10,000 do not flood a switch. The first hundred of a
 * batch do not wait.
 */
export const burstGapMs: Millis = 0.2
const burstCreditMs: Millis = 20

/**
 * The first round says who has the address, the others are against loss: these leave at 1,000 a second,
 * since all others on the segment read each of them. The first hundred do not wait.
 */
export const againGapMs: Millis = 1
const againCreditMs: Millis = 100

export type Event =
  /** The whole set of addresses to announce, replacing the last one. */
  | { readonly kind: 'desired'; readonly announcements: readonly Announcement[] }
  /** Of these, some that are announced no more, by identity, and some that are from now on. */
  | { readonly kind: 'changed'; readonly changes: Changes<Announcement> }
  /** The whole set of interfaces that may be announced on, replacing the last one. */
  | { readonly kind: 'links'; readonly links: readonly LinkState[] }
  /** Begins the bursts of these addresses on this interface again, where they have not just begun. */
  | { readonly kind: 'restart'; readonly texts: readonly string[]; readonly ifindex: number
      /** One round is enough: nobody else can have been heard meanwhile. */
      readonly isBrief?: boolean }
  | { readonly kind: 'wake' }

export type Effect =
  | { readonly kind: 'sendFrame'; readonly ifindex: number; readonly text: string
      readonly frame: Uint8Array }
  | { readonly kind: 'sendNeighbour'; readonly ifindex: number; readonly text: string
      readonly packet: Neighbour }
  | { readonly kind: 'join' | 'leave'; readonly ifindex: number; readonly group: Address }
  /** The responder answers from this table from now on. */
  | { readonly kind: 'answer'; readonly table: AnswerTable }
  /** Call `step` with `wake` at this instant, in place of any earlier request. */
  | { readonly kind: 'wake'; readonly atMs: Millis }

/** One address on one interface, and where its schedule stands. */
interface Voice {
  readonly announcement: Announcement
  readonly link: AnswerLink
  readonly startedAtMs: Millis
  /** Rounds sent so far. */
  round: number
  /** A round that had to wait for its turn on the interface has been given one. */
  hasSlot: boolean
  /** The rest of its burst is left out. */
  isBrief: boolean
  /** Cleared when the address is withdrawn here: queued rounds are then dropped. */
  isCurrent: boolean
}

/** One solicited-node group, and how many voices want it. */
interface Group {
  readonly ifindex: number
  readonly group: Address
  wanted: number
}

/** Mutable, owned by one loop; only `step` writes it. */
export interface Engine {
  readonly announcements: Set<Announcement>
  links: ReadonlyMap<number, AnswerLink>
  namesByIndex: ReadonlyMap<number, string>
  readonly voices: Map<string, Voice>
  readonly due: Schedule<Voice>
  /** Joined groups, `ifindex` and group bits as key. */
  readonly groups: Map<string, Group>
  /** By `answerKey`. */
  readonly answers: Map<bigint, Answer>
  /** Earliest instants of the next round, by interface. */
  readonly burstSlotMs: Map<number, Millis>
  readonly againSlotMs: Map<number, Millis>
  readonly refreshSlotMs: Map<number, Millis>
}

export function createEngine(): Engine {
  return {
    announcements: new Set(),
    links: new Map(),
    namesByIndex: new Map(),
    voices: new Map(),
    due: createSchedule(),
    groups: new Map(),
    answers: new Map(),
    burstSlotMs: new Map(),
    againSlotMs: new Map(),
    refreshSlotMs: new Map(),
  }
}

/** Takes one event at `now` (monotonic) and returns what the shell must perform, in order. */
export function step(engine: Engine, event: Event, now: Millis): readonly Effect[] {
  const effects: Effect[] = []
  switch (event.kind) {
    case 'desired':
      reconcile(engine, changesOf([...engine.announcements], event.announcements), effects, now)
      break
    case 'changed':
      reconcile(engine, event.changes, effects, now)
      break
    case 'links':
      takeLinks(engine, event.links, effects, now)
      break
    case 'restart':
      for (const text of event.texts) restart(engine, `${text}|${event.ifindex}`, event.isBrief === true, now)
      break
    case 'wake':
      break
  }
  sendDue(engine, effects, now)
  const atMs = nextDueMs(engine.due)
  if (atMs !== undefined) effects.push({ kind: 'wake', atMs })
  return effects
}

function toAnswerLink({ index, mac, generation }: LinkState): AnswerLink {
  return { index, mac, generation }
}

/** Other interfaces: all that is announced is looked at again. */
function takeLinks(
  engine: Engine, links: readonly LinkState[], effects: Effect[], now: Millis,
): void {
  const announcements = [...engine.announcements]
  const gone = announcements.flatMap((announcement) => wantedOf(engine, announcement))
  engine.links = new Map(links.map((link) => [link.index, toAnswerLink(link)]))
  engine.namesByIndex = new Map(links.map((link) => [link.index, link.name]))
  replace(engine, { gone, come: announcements.flatMap((one) => wantedOf(engine, one)) }, effects, now)
  for (const announcement of announcements) setAnswer(engine, announcement)
  effects.push({ kind: 'answer', table: { links: engine.links, answers: engine.answers } })
}

/** Announcements that came and went; what is announced as before is not looked at. */
function reconcile(
  engine: Engine, { gone, come }: Changes<Announcement>, effects: Effect[], now: Millis,
): void {
  const toWanted = (one: Announcement): readonly Wanted[] => wantedOf(engine, one)
  replace(engine, { gone: gone.flatMap(toWanted), come: come.flatMap(toWanted) }, effects, now)
  for (const announcement of gone) {
    engine.announcements.delete(announcement)
    engine.answers.delete(answerKey(announcement.address))
  }
  for (const announcement of come) {
    engine.announcements.add(announcement)
    setAnswer(engine, announcement)
  }
  // The table goes before the frames: whoever hears the announcement may ask at once.
  effects.push({ kind: 'answer', table: { links: engine.links, answers: engine.answers } })
}

/** An address on an interface that it is announced on. */
interface Wanted {
  readonly key: string
  readonly announcement: Announcement
  readonly link: AnswerLink
}

function wantedOf(engine: Engine, announcement: Announcement): readonly Wanted[] {
  return [...engine.links.values()].filter((link) => isSelected(engine, announcement, link))
    .map((link) => ({ key: `${announcement.text}|${link.index}`, announcement, link }))
}

function setAnswer(engine: Engine, announcement: Announcement): void {
  const { address, text } = announcement
  const ifindexes = new Set(wantedOf(engine, announcement).map(({ link }) => link.index))
  engine.answers.set(answerKey(address), { address, text, ifindexes, notAfterMs: Number.POSITIVE_INFINITY })
}

function replace(engine: Engine, changes: Changes<Wanted>, effects: Effect[], now: Millis): void {
  syncGroups(engine, changes, effects)
  syncVoices(engine, changes, now)
}

function restart(engine: Engine, key: string, isBrief: boolean, now: Millis): void {
  const voice = engine.voices.get(key)
  if (voice === undefined) return
  if (voice.startedAtMs === now) {
    voice.isBrief = isBrief
    return
  }
  voice.isCurrent = false
  begin(engine, key, { ...voice, isBrief }, now)
}

function begin(
  engine: Engine, key: string,
  { announcement, link, isBrief }: Pick<Voice, 'announcement' | 'link' | 'isBrief'>, now: Millis,
): void {
  const voice = {
    announcement, link, isBrief, startedAtMs: now, round: 0, hasSlot: false, isCurrent: true,
  }
  engine.voices.set(key, voice)
  insertAt(engine.due, now, voice)
}

function isSelected(engine: Engine, announcement: Announcement, link: AnswerLink): boolean {
  if (announcement.interfaces === 'all') return true
  return announcement.interfaces.includes(engine.namesByIndex.get(link.index) ?? '')
}

function syncVoices(engine: Engine, { gone, come }: Changes<Wanted>, now: Millis): void {
  const wanted = new Map(come.map((want) => [want.key, want]))
  for (const { key } of gone) {
    const voice = engine.voices.get(key)
    const want = wanted.get(key)
    // A new MAC, or a new interface, is news to every neighbour: the burst starts again.
    const isSame = want?.link.mac === voice?.link.mac && want?.link.generation === voice?.link.generation
    if (voice === undefined || (want !== undefined && isSame)) continue
    voice.isCurrent = false
    engine.voices.delete(key)
  }
  for (const { key, announcement, link } of wanted.values()) {
    if (!engine.voices.has(key)) begin(engine, key, { announcement, link, isBrief: false }, now)
  }
}

function syncGroups(engine: Engine, { gone, come }: Changes<Wanted>, effects: Effect[]): void {
  const { groups } = engine
  const fresh: Group[] = []
  for (const want of come) {
    const found = groupOf(want)
    if (found === undefined) continue
    const { key, group } = found
    const known = groups.get(key) ?? { ifindex: want.link.index, group, wanted: 0 }
    if (!groups.has(key)) fresh.push(known)
    known.wanted++
    groups.set(key, known)
  }
  for (const want of gone) {
    const key = groupOf(want)?.key ?? ''
    const known = groups.get(key)
    if (known === undefined || --known.wanted > 0) continue
    groups.delete(key)
    effects.push({ kind: 'leave', ifindex: known.ifindex, group: known.group })
  }
  for (const { ifindex, group } of fresh) effects.push({ kind: 'join', ifindex, group })
}

function groupOf({ announcement, link }: Wanted): { key: string; group: Address } | undefined {
  if (announcement.address.family !== 'ipv6') return undefined
  const group = solicitedNodeGroup(announcement.address)
  return { key: `${link.index}|${link.generation}|${group.bits}`, group }
}

function sendDue(engine: Engine, effects: Effect[], now: Millis): void {
  for (;;) {
    const voice = takeDue(engine.due, now)
    if (voice === undefined) return
    if (!voice.isCurrent) continue
    if (voice.isBrief && voice.round > 0 && voice.round < burstMs.length) {
      voice.round = burstMs.length
      insertAt(engine.due, nextRoundMs(voice, now), voice)
      continue
    }
    if (!voice.hasSlot) {
      const slotMs = reserveSlot(engine, voice, now)
      if (slotMs > now) {
        voice.hasSlot = true
        insertAt(engine.due, slotMs, voice)
        continue
      }
    }
    voice.hasSlot = false
    sendRound(voice, effects)
    voice.round = dueRound(voice, now) + 1
    insertAt(engine.due, nextRoundMs(voice, now), voice)
  }
}

/** Of the rounds whose time has come meanwhile, the last is sent. */
function dueRound({ round, startedAtMs }: Voice, now: Millis): number {
  let due = round
  while (startedAtMs + (burstMs[due + 1] ?? Infinity) <= now) due++
  return due
}

/** The next free turn on an interface; refreshes have turns of their own. */
function reserveSlot(engine: Engine, { round, link: { index } }: Voice, now: Millis): Millis {
  const take = (slots: Map<number, Millis>, gapMs: Millis, creditMs: Millis): Millis => {
    const slotMs = Math.max(now - creditMs, slots.get(index) ?? Number.NEGATIVE_INFINITY)
    slots.set(index, slotMs + gapMs)
    return slotMs
  }
  if (round >= burstMs.length) {
    return Math.floor(take(engine.refreshSlotMs, refreshGapMs, 0) / refreshGridMs) * refreshGridMs
  }
  const slotMs = take(engine.burstSlotMs, burstGapMs, burstCreditMs)
  return round === 0 ? slotMs : Math.max(slotMs, take(engine.againSlotMs, againGapMs, againCreditMs))
}

function sendRound({ announcement, link }: Voice, effects: Effect[]): void {
  const { address, text } = announcement
  const { index: ifindex, mac } = link
  if (address.family === 'ipv6') {
    effects.push({ kind: 'sendNeighbour', ifindex, text, packet: unsolicited(address, mac) })
    return
  }
  for (const frame of announceArp(address, mac)) {
    effects.push({ kind: 'sendFrame', ifindex, text, frame })
  }
}

/** Due time of the round after `voice.round` rounds were sent, the last of them at `now`. */
function nextRoundMs(voice: Voice, now: Millis): Millis {
  const offsetMs = burstMs[voice.round]
  // A late loop does not send the rounds it missed back to back.
  if (offsetMs !== undefined) return Math.max(voice.startedAtMs + offsetMs, now + 10)
  const spread = spreadOf(voice.announcement.address.bits, voice.round)
  const dueMs = now + refreshMs * (1 + refreshJitter * spread)
  return Math.round(dueMs / refreshGridMs) * refreshGridMs
}

/** A value in -1..1 that differs by address and round: jitter without a random source. */
function spreadOf(bits: bigint, round: number): number {
  let hash = Number(bits & 0xffffffffn) ^ Math.imul(round + 1, 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x80000000 - 1
}
