/** Decides what this node sends unprompted, which groups it joins, and what it may answer. */
import type { Address, Millis } from '../net/model.ts'
import { announceArp } from './arp.ts'
import type { Announcement, LinkState } from './model.ts'
import { type Neighbour, solicitedNodeGroup, unsolicited } from './ndp.ts'
import { type Answer, type AnswerLink, answerKey, type AnswerTable } from './responder.ts'
import { createSchedule, insertAt, nextDueMs, type Schedule, takeDue } from './schedule.ts'

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

/** Mutable, owned by one loop; only `step` writes it. */
export interface Engine {
  announcements: readonly Announcement[]
  links: ReadonlyMap<number, AnswerLink>
  namesByIndex: ReadonlyMap<number, string>
  readonly voices: Map<string, Voice>
  readonly due: Schedule<Voice>
  /** Joined groups, `ifindex` and group bits as key. */
  readonly groups: Map<string, { readonly ifindex: number; readonly group: Address }>
  /** Earliest instants of the next round, by interface. */
  readonly burstSlotMs: Map<number, Millis>
  readonly againSlotMs: Map<number, Millis>
  readonly refreshSlotMs: Map<number, Millis>
}

export function createEngine(): Engine {
  return {
    announcements: [],
    links: new Map(),
    namesByIndex: new Map(),
    voices: new Map(),
    due: createSchedule(),
    groups: new Map(),
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
      engine.announcements = event.announcements
      reconcile(engine, effects, now)
      break
    case 'links':
      engine.links = new Map(event.links.map((link) => [link.index, toAnswerLink(link)]))
      engine.namesByIndex = new Map(event.links.map((link) => [link.index, link.name]))
      reconcile(engine, effects, now)
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

function reconcile(engine: Engine, effects: Effect[], now: Millis): void {
  const wanted = new Map<string, { announcement: Announcement; link: AnswerLink }>()
  const answers = new Map<bigint, Answer>()
  for (const announcement of engine.announcements) {
    const ifindexes = new Set<number>()
    for (const link of engine.links.values()) {
      if (!isSelected(engine, announcement, link)) continue
      ifindexes.add(link.index)
      wanted.set(`${announcement.text}|${link.index}`, { announcement, link })
    }
    answers.set(answerKey(announcement.address), {
      address: announcement.address,
      text: announcement.text,
      ifindexes,
      notAfterMs: Number.POSITIVE_INFINITY,
    })
  }
  syncGroups(engine, wanted.values(), effects)
  // The table goes before the frames: whoever hears the announcement may ask at once.
  effects.push({ kind: 'answer', table: { links: engine.links, answers } })
  syncVoices(engine, wanted, now)
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

function syncVoices(
  engine: Engine,
  wanted: ReadonlyMap<string, { announcement: Announcement; link: AnswerLink }>,
  now: Millis,
): void {
  for (const [key, voice] of engine.voices) {
    const want = wanted.get(key)
    // A new MAC, or a new interface, is news to every neighbour: the burst starts again.
    const isSame = want?.link.mac === voice.link.mac && want.link.generation === voice.link.generation
    if (isSame) continue
    voice.isCurrent = false
    engine.voices.delete(key)
  }
  for (const [key, { announcement, link }] of wanted) {
    if (!engine.voices.has(key)) begin(engine, key, { announcement, link, isBrief: false }, now)
  }
}

function syncGroups(
  engine: Engine,
  wanted: Iterable<{ announcement: Announcement; link: AnswerLink }>,
  effects: Effect[],
): void {
  const groups = new Map<string, { ifindex: number; group: Address }>()
  for (const { announcement, link } of wanted) {
    if (announcement.address.family !== 'ipv6') continue
    const group = solicitedNodeGroup(announcement.address)
    const key = `${link.index}|${link.generation}|${group.bits}`
    groups.set(key, { ifindex: link.index, group })
  }
  for (const [key, joined] of engine.groups) {
    if (groups.has(key)) continue
    engine.groups.delete(key)
    effects.push({ kind: 'leave', ...joined })
  }
  for (const [key, group] of groups) {
    if (engine.groups.has(key)) continue
    engine.groups.set(key, group)
    effects.push({ kind: 'join', ...group })
  }
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
