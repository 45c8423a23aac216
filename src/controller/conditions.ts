/** Writes why-not conditions, once a state has lasted: a Service on its way is no news. */
import { eventText } from '../cluster/vocabulary.ts'
import { conditionTypes } from '../config/names.ts'
import type { Recorder } from '../kube/events.ts'
import type { LiveL2Status, LiveService } from '../kube/live.ts'
import type { Writer } from '../kube/writer.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Millis } from '../net/model.ts'
import type { ServiceRow } from '../plan/report.ts'
import { subjectOf } from './news.ts'
import {
  awaitedNodes, type ConditionInput, type ConditionText, type Confirmation, planCondition, wireWord,
} from './condition.ts'
import { confirmationDue, followProgress, type Progress, silentGraceMs, toldGraceMs } from './grace.ts'

/** Good news, and refusals: what may change at once again. */
const graceMs: Millis = 200

export interface ConditionsOptions {
  readonly writer: Writer
  readonly recorder: Recorder
  /** As they are now. */
  readonly services: () => ReadonlyMap<string, LiveService>
  readonly log: Log
  readonly metrics: Metrics
  readonly wall: () => Date
}

export interface ConditionsTurn {
  readonly rows: readonly ServiceRow[]
  readonly services: ReadonlyMap<string, LiveService>
  /** undefined = the cluster has no such kind: nobody can confirm anything. */
  readonly statuses: Iterable<LiveL2Status> | undefined
  /** What nodes say that the wire keeps them silent for. */
  readonly told?: NonNullable<ConditionInput['told']>
  readonly isStale: boolean
  readonly now: Millis
}

export interface Conditions {
  /** Queues what is due; returns the instant of the next that is not yet, if any. */
  turn(turn: ConditionsTurn): Millis | undefined
  /** What was queued may have been dropped: everything that differs is due anew. */
  forget(): void
}

interface Pending {
  readonly text: string
  readonly sinceMs: Millis
  /** Since when the same waits for a node's word, in whatever words that is said. */
  readonly silentMs: Millis
  readonly unheard: string
  /** How many waited for the word of the same node meanwhile, at most. */
  crowd: number
  isQueued: boolean
  isLogged: boolean
  /** The version of the Service that was there when it was sent first; undefined = it was not. */
  sentAt: string | undefined
  /** The server has said so. */
  isWritten: boolean
}

interface Memory {
  readonly pending: Map<string, Pending>
  /** By node. */
  progress: ReadonlyMap<string, Progress>
}

/** What one Service shall say. */
interface Wish {
  readonly key: string
  readonly live: LiveService
  /** undefined = no condition. */
  readonly wanted: ConditionText | undefined
  /** Nodes whose word alone is missing. */
  readonly awaited: readonly string[]
  /** What is announced by plan and by no node's word, as text; '' = all of it is. */
  readonly unheard: string
  /** How long it must have lasted, besides what it waits for. */
  readonly graceMs: Millis
}

export function createConditions(options: ConditionsOptions): Conditions {
  const memory: Memory = { pending: new Map(), progress: new Map() }
  return {
    turn: (turn) => takeTurn(options, memory, turn),
    forget: () => {
      memory.pending.clear()
      options.metrics.setSilent(new Map())
    },
  }
}

function takeTurn(
  options: ConditionsOptions, memory: Memory, turn: ConditionsTurn,
): Millis | undefined {
  const { services, now } = turn
  const { pending } = memory
  const confirmed = turn.statuses === undefined ? undefined : confirmationsOf(turn.statuses)
  if (confirmed !== undefined) memory.progress = followProgress(memory.progress, countByNode(confirmed), now)
  const wishes = wishesOf(turn, confirmed)
  const waiting = new Map<string, number>()
  const reasons = new Map<string, number>()
  for (const { wanted, awaited } of wishes) {
    if (wanted?.status === 'False') reasons.set(wanted.reason, (reasons.get(wanted.reason) ?? 0) + 1)
    for (const node of awaited) waiting.set(node, (waiting.get(node) ?? 0) + 1)
  }
  let nextMs: Millis | undefined
  for (const wish of wishes) {
    const { key, live, wanted } = wish
    if (isWritten(live, wanted)) {
      if (pending.delete(key)) options.recorder.learned(key)
      continue
    }
    const dueMs = dueOf(memory, wish, waiting, now)
    if (dueMs > now) nextMs = Math.min(nextMs ?? dueMs, dueMs)
    else queue(options, pending, live, wanted)
  }
  const wished = new Set(wishes.map(({ key }) => key))
  for (const key of pending.keys()) if (!wished.has(key) || !services.has(key)) pending.delete(key)
  options.metrics.setSilent(reasons)
  return nextMs
}

/** Not of Services of another class: another controller's business, that may write the same condition. */
function wishesOf(
  { rows, services, told = new Map(), isStale }: ConditionsTurn,
  confirmed: ReturnType<typeof confirmationsOf> | undefined,
): readonly Wish[] {
  const byKey = new Map(rows.map((row) => [`${row.namespace}/${row.name}`, row]))
  const wishes: Wish[] = []
  for (const [key, live] of services) {
    const row = byKey.get(key)
    if (live.intent.isLoadBalancer && (row === undefined || row.verdict === 'ignored')) continue
    // Without a row it is no LoadBalancer any more: what we said of it goes.
    const input = row && { row, confirmations: confirmed && (confirmed.get(key) ?? []), told, isStale }
    const wanted = input && planCondition(input)
    const awaited = input === undefined ? [] : awaitedNodes(input)
    const isUnheard = awaited.length > 0 || (input !== undefined && wireWord(input) !== undefined)
    wishes.push({
      key, live, wanted, awaited,
      unheard: isUnheard ? `${live.uid} ${JSON.stringify(row?.announcements ?? [])}` : '',
      graceMs: input === undefined ? graceMs : graceOf(input, wanted),
    })
  }
  return wishes
}

/** What a node says of itself has lasted when it says so; that a foreign machine answers has been asked. */
function graceOf(input: ConditionInput, wanted: ConditionText | undefined): Millis {
  if (wanted?.status !== 'False' || wanted.message.startsWith('no address')) return graceMs
  const word = wireWord(input)
  return word === 'sure' ? graceMs : word === 'lasting' ? toldGraceMs : silentGraceMs
}

function countByNode(confirmed: ReturnType<typeof confirmationsOf>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const list of confirmed.values()) {
    for (const { node } of list) counts.set(node, (counts.get(node) ?? 0) + 1)
  }
  return counts
}

function confirmationsOf(
  statuses: Iterable<LiveL2Status>,
): ReadonlyMap<string, readonly Confirmation[]> {
  const byService = new Map<string, Confirmation[]>()
  for (const { service, node, interfaces, isFilled } of statuses) {
    if (!isFilled) continue
    const list = byService.get(service)
    if (list === undefined) byService.set(service, [{ node, interfaces }])
    else list.push({ node, interfaces })
  }
  return byService
}

function isWritten({ condition }: LiveService, wanted: ConditionText | undefined): boolean {
  if (condition === undefined || wanted === undefined) return condition === wanted
  return condition.status === wanted.status && condition.reason === wanted.reason &&
    condition.message === wanted.message
}

/**
 * A wish must have lasted before it is written; another wish begins anew. Of addresses that are silent the
 * first word waits no longer than the silence must last: nodes may reword it all the time.
 */
function dueOf(
  { pending, progress }: Memory, wish: Wish, waiting: ReadonlyMap<string, number>, now: Millis,
): Millis {
  const { key, awaited, graceMs: ownMs } = wish
  const before = pending.get(key)
  const entry = pendingOf(before, wish, now)
  if (entry !== before) pending.set(key, entry)
  const { sinceMs, silentMs } = entry
  entry.crowd = Math.max(entry.crowd, ...awaited.map((node) => waiting.get(node) ?? 0))
  const dues = awaited.map((node) => {
    const roseAtMs = progress.get(node)?.roseAtMs ?? Number.NEGATIVE_INFINITY
    return confirmationDue(silentMs, roseAtMs, entry.crowd)
  })
  const lastedMs = silentMs < sinceMs
    ? Math.min(sinceMs + ownMs, Math.max(silentMs + silentGraceMs, sinceMs + graceMs))
    : sinceMs + ownMs
  return Math.max(lastedMs, ...dues)
}

function pendingOf(before: Pending | undefined, { live, wanted, unheard }: Wish, now: Millis): Pending {
  const text = JSON.stringify([live.uid, wanted ?? ''])
  if (before?.text === text) return before
  const isFirst = unheard !== '' && live.condition?.status !== 'False'
  const isSame = isFirst && before?.unheard === unheard
  return {
    text, sinceMs: now, unheard, silentMs: isSame ? before.silentMs : now, crowd: isSame ? before.crowd : 0,
    isQueued: false, isLogged: false, sentAt: undefined, isWritten: false,
  }
}

function queue(
  options: ConditionsOptions, pending: Map<string, Pending>,
  live: LiveService, wanted: ConditionText | undefined,
): void {
  const { key, namespace, name } = live.intent
  const entry = pending.get(key)
  if (entry === undefined || entry.isQueued) return
  entry.isQueued = true
  const since = live.condition?.status === wanted?.status
    ? live.condition?.since
    : options.wall().toISOString().replace(/\.\d+Z$/, 'Z')
  const condition = wanted === undefined
    ? { type: conditionTypes.announced, $patch: 'delete' }
    : { type: conditionTypes.announced, ...wanted, lastTransitionTime: since }
  options.writer.put({
    key: `condition/${key}`,
    rank: 2,
    make: () => {
      // What waited long may be no longer true: another wish is another entry.
      if (pending.get(key) !== entry) return undefined
      if (entry.sentAt === undefined) {
        entry.sentAt = options.services().get(key)?.version ?? ''
        tell(options, pending, { entry, live, wanted })
      }
      return {
        method: 'PATCH',
        path: `/api/v1/namespaces/${namespace}/services/${name}/status?fieldManager=arpeggio-controller`,
        contentType: 'application/strategic-merge-patch+json',
        wantsMetadata: true,
        // The uid: a Service made anew under the name is another.
        body: { metadata: { uid: live.uid }, status: { conditions: [condition] } },
      }
    },
    settled: (reply) => {
      // Written, it stays queued until the watch shows it: else it would be written again.
      entry.isQueued = reply.status < 300
      if (!entry.isQueued) return
      entry.isWritten = true
      options.recorder.learned(key)
    },
  })
  if (!entry.isLogged) write(options.log, live, wanted)
  entry.isLogged = true
}

/** One line when a Service turns silent, or silent for another reason, whether or not it can be written. */
function write(log: Log, live: LiveService, wanted: ConditionText | undefined): void {
  const service = live.intent.key
  if (isRefusal(wanted)) return // the journal has told it, when it was decided
  if (wanted?.status === 'False') {
    const { reason, message } = wanted
    log.warn('not announced', { event: 'notAnnounced', service, reason, error: message })
  } else if (wanted?.status === 'True' && live.condition?.status === 'False') {
    log.info('announced', { event: 'announced', service })
  }
}

/** The Service's own refusal; that nothing but a stale configuration refuses it is told here. */
function isRefusal(wanted: ConditionText | undefined): boolean {
  return wanted?.message.startsWith('no address') === true && wanted.reason !== 'configurationStale'
}

/** One event a change, once it is known to be written; a refusal has one of its own. */
function tell(
  { recorder, services }: ConditionsOptions, pending: ReadonlyMap<string, Pending>,
  { entry, live, wanted }: { entry: Pending; live: LiveService; wanted: ConditionText | undefined },
): void {
  if (wanted?.status !== 'False' || wanted.message.startsWith('no address')) return
  const { key } = live.intent
  const isTrue = (): boolean | undefined => {
    const now = services().get(key)
    const isShown = now?.uid === live.uid && isWritten(now, wanted)
    if (entry.isWritten || isShown) return true
    // It is tried again, or may have arrived: another version says so.
    return pending.get(key) === entry || now?.version === entry.sentAt ? undefined : false
  }
  recorder.record(subjectOf(live), { ...eventText('notAnnounced', wanted.message), isTrue })
}
