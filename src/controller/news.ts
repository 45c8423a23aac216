/** Tells what happens to a Service, once each, and not before it has happened. */
import { type EventText, eventText } from '../cluster/vocabulary.ts'
import { gistOf } from '../ipam/message.ts'
import type { Verdict } from '../ipam/model.ts'
import type { Plan } from '../ipam/replan.ts'
import type { Recorder } from '../kube/events.ts'
import type { LiveService } from '../kube/live.ts'
import type { Metrics } from '../metrics.ts'
import { type Change, fits, hasChanged, type Sent } from './sent.ts'
import { changeOf, eventsOf, type Wanted } from './writes.ts'

export interface NewsOptions {
  readonly recorder: Recorder
  readonly metrics: Metrics
  /** As they are now. */
  readonly services: () => ReadonlyMap<string, LiveService>
  readonly isLeading: () => boolean
}

interface Told {
  readonly uid: string
  /** By what an event is known, with what it says of the status. */
  readonly lines: Map<string, Change>
}

export interface Wish extends Wanted {
  /** What the status said when that was found. */
  readonly over: readonly string[]
}

/** What is compared before anything is told; the part of the allocation's memory that it needs. */
export interface NewsMemory {
  /** Of the last turn, from which the next is made. */
  plan: Plan | undefined
  /** Events told, or found and not known to be true yet, by Service: the same are not told again. */
  told: Map<string, Told>
  /** What the status of a Service shall say; a write takes the newest. */
  wishes: Map<string, Wish>
  /** The version a write was based on: until the watch shows another, there is nothing to write. */
  spent: Map<string, string>
  /** What was written, until the watch shows what came of it; outlives the term. */
  readonly sent: Map<string, Sent>
}

/** Of what was found of a Service, tells what is known to be true by now. */
export function learn({ recorder, services }: NewsOptions, { sent }: NewsMemory, key: string): void {
  recorder.learned(key)
  const last = sent.get(key)
  // Another version is there: of what was sent before, nothing can arrive any more but an answer.
  if (last?.isOut !== true && last?.base !== services().get(key)?.version) sent.delete(key)
}

/** The same of every Service of which something is not known yet. */
export function look(options: NewsOptions, memory: NewsMemory): void {
  for (const key of options.recorder.unsure) learn(options, memory, key)
}

/** The Service as the subject of an event. */
export function subjectOf({ intent, uid }: LiveService): {
  namespace: string; name: string; uid: string
} {
  return { namespace: intent.namespace, name: intent.name, uid }
}

/** Tells what is new: a verdict that stays what it was has been told. */
export function tell(
  options: NewsOptions, memory: NewsMemory, verdict: Verdict, live: LiveService,
): void {
  const events = eventsOf(verdict, live.ingress)
  const { key } = live.intent
  // Until the status says what it shall, the watch shows again what was judged already.
  const isPending = memory.wishes.has(key) || memory.spent.get(key) === live.version
  if (events.length === 0) {
    // An assignment stays told until it is written: then there is nothing new in the verdict.
    if (!isPending) memory.told.delete(key)
    return
  }
  const before = memory.told.get(key)
  const told = before?.uid === live.uid ? before : { uid: live.uid, lines: new Map<string, Change>() }
  memory.told.set(key, told)
  const { lines } = told
  const news = events.filter((event) => !lines.has(line(event, verdict)))
  // What was told and is not said any more may be told again.
  if (!isPending && lines.size > 0) keepOnly(lines, events.map((event) => line(event, verdict)))
  if (news.some(({ type }) => type === 'Warning')) options.metrics.countFailure()
  for (const event of news) {
    const gist = line(event, verdict)
    const said = saidBy(event, verdict)
    lines.set(gist, said)
    options.recorder.record(subjectOf(live), {
      ...event, gist, isTrue: truthOf(options, memory, { verdict, live, event, said }),
      mayEnd: !tellsOfStatus(event),
      happened: () => forgetOpposite(lines, said),
      dropped: () => void lines.delete(gist),
    })
  }
}

function keepOnly(lines: Map<string, Change>, kept: readonly string[]): void {
  for (const one of lines.keys()) if (!kept.includes(one)) lines.delete(one)
}

/** Whether what an event says has happened: the status has come to say so, or the refusal stands. */
function truthOf(
  options: NewsOptions, memory: NewsMemory,
  { verdict, live, event, said }: { verdict: Verdict; live: LiveService; event: EventText; said: Change },
): () => boolean | undefined {
  const { uid, intent: { key } } = live
  const seen = (change: Change): boolean | undefined =>
    hasChanged(uid, change, options.services().get(key), memory.sent.get(key))
  /** What is decided is still to be written, or to be seen. */
  const comes = (isDecided: (addresses: readonly string[]) => boolean): boolean | undefined => {
    const found = seen(said)
    const decided = memory.plan?.rows.get(key)?.verdict
    const isOpen = found === false && decided !== undefined && options.isLeading() &&
      options.services().get(key)?.uid === uid && isDecided(changeOf(decided).has)
    return isOpen ? undefined : found
  }
  switch (event.reason) {
    case 'IPAllocated':
      return () => comes((addresses) => addresses.join() === said.has.join())
    case 'ClearAssignment': {
      let wasThere: boolean | undefined = false
      return () => {
        // What was only planned is not taken away; what was there once has been there.
        if (wasThere !== true) wasThere = anyOf(said.lacks.map((one) => seen({ has: [one], lacks: [] })))
        return wasThere === true ? comes((addresses) => fits(said, addresses)) : wasThere
      }
    }
    default:
      return () => options.isLeading() && stands(memory, key, line(event, verdict))
  }
}

/** A status that was written was written; a refusal stands, or does not. */
function tellsOfStatus({ reason }: EventText): boolean {
  return reason === 'IPAllocated' || reason === 'ClearAssignment'
}

/** What an event says of the status. */
function saidBy({ reason }: EventText, verdict: Verdict): Change {
  const { has, lacks } = changeOf(verdict)
  return { has: reason === 'IPAllocated' ? has : [], lacks: reason === 'ClearAssignment' ? lacks : [] }
}

/** What the status says no longer may happen again, and is news then. */
function forgetOpposite(lines: Map<string, Change>, { has, lacks }: Change): void {
  for (const [line, said] of lines) {
    const isOver = said.has.some((one) => lacks.includes(one)) || said.lacks.some((one) => has.includes(one))
    if (isOver) lines.delete(line)
  }
}

function anyOf(truths: readonly (boolean | undefined)[]): boolean | undefined {
  return truths.includes(true) || (truths.includes(undefined) ? undefined : false)
}

/** Another term decides anew. */
function stands({ plan }: NewsMemory, key: string, text: string): boolean {
  const verdict = plan?.rows.get(key)?.verdict
  return verdict !== undefined && eventsOf(verdict, []).some((event) => line(event, verdict) === text)
}

/**
 * Told each time that the status has come to be what is written now. Where only the annotation of the pool
 * is written, what is shown says nothing of that: the server's word does (`isTaken`).
 */
export function tellDeprecated(
  { recorder, services }: NewsOptions, { sent }: NewsMemory,
  { live, ingress, isTaken }: { live: LiveService; ingress: readonly string[]; isTaken: boolean },
): void {
  const { uid, intent: { key } } = live
  const lacks = live.ingress.filter((one) => !ingress.includes(one))
  const change: Change = { has: ingress, lacks }
  if (fits(change, live.ingress) !== isTaken) return
  for (const annotation of live.deprecated) {
    recorder.record(subjectOf(live), {
      ...eventText('deprecatedAnnotation', `Service uses deprecated annotation ${annotation}`),
      isTrue: () => isTaken || hasChanged(uid, change, services().get(key), sent.get(key)),
    })
  }
}

/**
 * By what an event is known: who else is in the way, or how much is in use, does not make it another; nor
 * does another reason to take what is on its way out already.
 */
function line({ reason, message }: EventText, verdict: Verdict): string {
  return `${reason} ${reason === 'ClearAssignment' ? changeOf(verdict).lacks.join() : gistOf(message)}`
}
