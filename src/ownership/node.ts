/** One node, whole and without I/O: ownership, engine and responder joined as every shell must join them. */
import { createEngine, type Effect as EngineEffect, step as stepEngine } from '../l2/engine.ts'
import type { Announcement, Drop, LinkState } from '../l2/model.ts'
import type { Neighbour } from '../l2/ndp.ts'
import {
  type Answer, answerKey, type AnswerLink, type AnswerTable, emptyTable, respondTo,
} from '../l2/responder.ts'
import { isSameSet } from '../l2/unit.ts'
import type { Address, Millis } from '../net/model.ts'
import type {
  Effect, Event, Note, ReadFrame, ReceivedFrame, ReceivedMessage, Right, World,
} from './model.ts'
import { isAnswerable, readBatch } from './wire.ts'

/** One turn of the shell's loop, whatever woke it: all that its sockets held, read to the end. */
export interface Turn {
  readonly frames: readonly ReceivedFrame[]
  readonly messages: readonly ReceivedMessage[]
  /** Where they changed: the whole set of usable interfaces, replacing the last one. */
  readonly links?: readonly LinkState[] | undefined
  readonly world?: World | undefined
}

/** What the shell performs, in this order. */
export type NodeEffect =
  /** Read the clock, then send, unless `notAfterMs` has passed. */
  | { readonly kind: 'sendFrame'; readonly ifindex: number; readonly frame: Uint8Array
      readonly text: string | undefined; readonly why: 'answer' | 'announce' | 'ask'
      readonly notAfterMs: Millis }
  | { readonly kind: 'sendNeighbour'; readonly ifindex: number; readonly packet: Neighbour
      readonly text: string; readonly notAfterMs: Millis }
  | { readonly kind: 'join' | 'leave'; readonly ifindex: number; readonly group: Address }
  /** A frame that is not answered, and why: to be counted. */
  | { readonly kind: 'dropped'; readonly reason: Drop }
  | { readonly kind: 'tell'; readonly to: string; readonly ifindex: number | undefined
      readonly bytes: Uint8Array }
  | { readonly kind: 'gossip'; readonly bytes: Uint8Array }
  | { readonly kind: 'note'; readonly note: Note }
  /** What is answered for since the last turn, and what no more, besides deadlines and interfaces: texts. */
  | { readonly kind: 'answering'; readonly come: readonly string[]; readonly gone: readonly string[] }
  /** Take the next turn at this instant at the latest, in place of any earlier request. */
  | { readonly kind: 'wake'; readonly atMs: Millis }

/** Ownership's step, bound to its state. */
export type Decide = (event: Event, now: Millis) => readonly Effect[]

export interface Node {
  turn(turn: Turn, now: Millis): readonly NodeEffect[]
  /** What it answers for now; another list after each change, deadlines included. */
  rights(): readonly Right[]
  /** The same; one list for as long as only deadlines change. */
  standing(): readonly Right[]
  /** Whether it answers for the address there, deadlines aside. */
  answersFor(text: string, ifindex: number): boolean
}

/** A copy of ownership's: only its deadline changes. */
type KeptRight = Omit<Right, 'notAfterMs'> & { notAfterMs: Millis }

interface Parts {
  readonly decide: Decide
  readonly engine: ReturnType<typeof createEngine>
  links: readonly LinkState[]
  answerLinks: ReadonlyMap<number, AnswerLink>
  /** As a list; undefined = to be made from `byText`. */
  rights: readonly Right[] | undefined
  standing: readonly Right[] | undefined
  /** Texts whose rights came, went or changed legs in this turn, and whether there was one before. */
  readonly touched: Map<string, boolean>
  readonly byText: Map<string, KeptRight>
  /** As the engine announces each, while links are the same. */
  readonly announcements: Map<KeptRight, Announcement>
  readonly answers: Map<bigint, Answer>
  table: AnswerTable
  decideAtMs: Millis | undefined
  engineAtMs: Millis | undefined
}

/** A node that answers for nothing until ownership gives it rights. */
export function createNode(decide: Decide): Node {
  const parts: Parts = {
    decide, engine: createEngine(), links: [], answerLinks: new Map(), rights: [], standing: [],
    touched: new Map(), byText: new Map(), announcements: new Map(), answers: new Map(), table: emptyTable,
    decideAtMs: undefined, engineAtMs: undefined,
  }
  return {
    turn: (turn, now) => takeTurn(parts, turn, now),
    rights: () => parts.rights ??= [...parts.byText.values()],
    standing: () => parts.standing ??= [...parts.byText.values()],
    answersFor: (text, ifindex) => parts.byText.get(text)?.ifindexes.has(ifindex) === true,
  }
}

/**
 * The order is the stall rule of design §5: what others said first, since it may take rights back;
 * then answers, from what is left; and only then the instant at which beats leave.
 */
function takeTurn(parts: Parts, turn: Turn, now: Millis): readonly NodeEffect[] {
  const out: NodeEffect[] = []
  const { messages, links, world } = turn
  const frames = readBatch(turn.frames)
  if (links !== undefined) setLinks(parts, links, out, now)
  if (frames.length > 0) decide(parts, { kind: 'frames', frames }, out, now)
  if (messages.length > 0) decide(parts, { kind: 'messages', messages }, out, now)
  if (world !== undefined) decide(parts, { kind: 'world', world }, out, now)
  for (const received of frames) {
    const effect = answer(parts, received, now)
    const isStale = effect.kind === 'sendFrame' && !isAnswerable(received, now)
    out.push(isStale ? { kind: 'dropped', reason: 'stale' } : effect)
  }
  if (isDue(parts.decideAtMs, now)) {
    parts.decideAtMs = undefined
    decide(parts, { kind: 'wake' }, out, now)
  }
  if (isDue(parts.engineAtMs, now)) runEngine(parts, { kind: 'wake' }, out, now)
  const atMs = Math.min(parts.decideAtMs ?? Infinity, parts.engineAtMs ?? Infinity)
  if (atMs !== Infinity) out.push({ kind: 'wake', atMs })
  return settle(parts, out)
}

/** Says what has changed, and leaves out what was to be said of what is gone. */
function settle(parts: Parts, out: NodeEffect[]): readonly NodeEffect[] {
  const { touched, byText } = parts
  if (touched.size === 0) return out
  const come = [...touched].flatMap(([text, was]) => !was && byText.has(text) ? [text] : [])
  const gone = [...touched].flatMap(([text, was]) => was && !byText.has(text) ? [text] : [])
  const isAnyLost = [...touched.keys()].some((text) => !byText.has(text))
  touched.clear()
  if (come.length + gone.length > 0) out.push({ kind: 'answering', come, gone })
  return isAnyLost ? out.filter((effect) => !isLost(parts, effect)) : out
}

/** A voice for what was given up later in the same turn: nobody has heard it yet, and nobody is to. */
function isLost({ byText }: Parts, effect: NodeEffect): boolean {
  const isVoice = effect.kind === 'sendNeighbour' || (effect.kind === 'sendFrame' && effect.why !== 'ask')
  return isVoice && effect.text !== undefined && !byText.has(effect.text)
}

function isDue(atMs: Millis | undefined, now: Millis): boolean {
  return atMs !== undefined && atMs <= now
}

function setLinks(
  parts: Parts, links: readonly LinkState[], out: NodeEffect[], now: Millis,
): void {
  parts.links = links
  parts.answerLinks = new Map(links.map(({ index, generation, mac }) =>
    [index, { index, generation, mac }]))
  parts.announcements.clear()
  runEngine(parts, { kind: 'links', links }, out, now)
  // Announcements name interfaces: with other links they are other values, which the engine gets as a whole.
  const announcements = [...parts.byText.values()].map((right) => announcementOf(parts, right))
  runEngine(parts, { kind: 'desired', announcements }, out, now)
  parts.table = { links: parts.answerLinks, answers: parts.answers }
}

/** One event for ownership: what concerns engine and responder is performed here. */
function decide(parts: Parts, event: Event, out: NodeEffect[], now: Millis): void {
  for (const effect of parts.decide(event, now)) {
    switch (effect.kind) {
      case 'rights':
        setRights(parts, effect.rights, out, now)
        break
      case 'rightsChanged':
        changeRights(parts, effect, out, now)
        break
      case 'extend':
        // Ten times a second, however much is owned: in place.
        for (const right of parts.byText.values()) right.notAfterMs = effect.notAfterMs
        parts.rights = undefined
        break
      case 'announce': {
        const { texts, ifindex, isBrief = false } = effect
        runEngine(parts, { kind: 'restart', texts, ifindex, isBrief }, out, now)
        break
      }
      case 'send': {
        const { ifindex, frame, notAfterMs } = effect
        out.push({ kind: 'sendFrame', ifindex, frame, text: undefined, why: 'ask', notAfterMs })
        break
      }
      case 'wake':
        parts.decideAtMs = effect.atMs
        break
      default:
        out.push(effect)
    }
  }
}

/** Replaces all rights: what stays is the same value with another deadline. */
function setRights(
  parts: Parts, rights: readonly Right[], out: NodeEffect[], now: Millis,
): void {
  const gone = new Set(parts.byText.keys())
  for (const { text } of rights) gone.delete(text)
  changeRights(parts, { gone: [...gone], come: rights }, out, now)
}

/** The engine is troubled only where it is about more than deadlines. */
function changeRights(
  parts: Parts, { gone, come }: { readonly gone: readonly string[]; readonly come: readonly Right[] },
  out: NodeEffect[], now: Millis,
): void {
  const { byText, answers } = parts
  const lost = gone.flatMap((text) => byText.get(text) ?? [])
  const fresh: KeptRight[] = []
  for (const { text, address } of lost) {
    byText.delete(text)
    answers.delete(answerKey(address))
    touch(parts, text, true)
  }
  for (const right of come) {
    const known = byText.get(right.text)
    if (known !== undefined && isSameSet(known.ifindexes, right.ifindexes)) {
      known.notAfterMs = right.notAfterMs
      continue
    }
    touch(parts, right.text, known !== undefined)
    if (known !== undefined) lost.push(known)
    const kept = { ...right }
    byText.set(right.text, kept)
    answers.set(answerKey(right.address), kept)
    fresh.push(kept)
  }
  parts.rights = undefined
  if (lost.length + fresh.length === 0) return
  parts.standing = undefined
  // The table goes before the frames: whoever hears the announcement may ask at once.
  parts.table = { links: parts.answerLinks, answers }
  const changes = {
    gone: lost.map((right) => announcementOf(parts, right)),
    come: fresh.map((right) => announcementOf(parts, right)),
  }
  for (const right of lost) parts.announcements.delete(right)
  runEngine(parts, { kind: 'changed', changes }, out, now)
}

/** Whether there was a right for it when the turn began: told once, at the end. */
function touch({ touched }: Parts, text: string, was: boolean): void {
  if (!touched.has(text)) touched.set(text, was)
}

/** The same value as long as nothing about it has changed. */
function announcementOf({ announcements, links }: Parts, right: KeptRight): Announcement {
  const known = announcements.get(right)
  if (known !== undefined) return known
  const { address, text, ifindexes } = right
  const interfaces = links.filter(({ index }) => ifindexes.has(index)).map(({ name }) => name)
  const fresh = { address, text, interfaces, services: [] }
  announcements.set(right, fresh)
  return fresh
}

function runEngine(
  parts: Parts, event: Parameters<typeof stepEngine>[1], out: NodeEffect[], now: Millis,
): void {
  parts.engineAtMs = undefined
  for (const effect of stepEngine(parts.engine, event, now)) {
    if (effect.kind === 'wake') parts.engineAtMs = effect.atMs
    else toNodeEffect(parts, effect, out, now)
  }
}

function toNodeEffect(
  parts: Parts, effect: Exclude<EngineEffect, { kind: 'wake' }>, out: NodeEffect[], now: Millis,
): void {
  switch (effect.kind) {
    case 'answer':
      // Deadlines are ownership's: the engine's table has none.
      return
    case 'join':
    case 'leave':
      out.push(effect)
      return
    case 'sendFrame':
    case 'sendNeighbour': {
      const notAfterMs = parts.byText.get(effect.text)?.notAfterMs ?? -Infinity
      if (now >= notAfterMs) return
      out.push(effect.kind === 'sendFrame'
        ? { ...effect, why: 'announce', notAfterMs }
        : { ...effect, notAfterMs })
    }
  }
}

function answer(parts: Parts, { ifindex, packet }: ReadFrame, now: Millis): NodeEffect {
  const outcome = respondTo(parts.table, ifindex, packet, now)
  if (outcome.kind === 'drop') return { kind: 'dropped', reason: outcome.reason }
  const notAfterMs = parts.byText.get(outcome.text)?.notAfterMs ?? -Infinity
  const { text, frame: reply } = outcome
  return { kind: 'sendFrame', ifindex, frame: reply, text, why: 'answer', notAfterMs }
}
