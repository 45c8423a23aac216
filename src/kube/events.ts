/** Events on Services: the same one again is counted up, and nobody is flooded. */
import type { Call, Reply } from './api.ts'
import type { Job, Rank, Writer } from './writer.ts'

/** What an event is about. */
export interface Subject {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

export interface Happening {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
  /**
   * Whether it has happened. undefined = that is not known yet: it is asked again whenever something is
   * `learned` of its subject.
   */
  readonly isTrue?: () => boolean | undefined
  /**
   * It tells of what lasts while it lasts: `isTrue` is asked again when its turn has come. Otherwise what
   * has happened once stays true.
   */
  readonly mayEnd?: boolean
  /** Of what is not known yet, one with the same gist takes the place of another; absent = the message. */
  readonly gist?: string
  /** It is known to have happened, and will be told. */
  readonly happened?: () => void
  /** It has not happened after all, and is not told. */
  readonly dropped?: () => void
}

export interface Recorder {
  /** The same that waits already, to be known or to be written, is told once. */
  record(subject: Subject, happening: Happening): void
  /** Tells what is known to be true by now of `namespace/name`, and drops what is not. */
  learned(service: string): void
  /** `namespace/name` of everything of which it is not known yet whether it has happened. */
  readonly unsure: Iterable<string>
}

export interface RecorderOptions {
  readonly writer: Writer
  /** `metallb-controller` or `metallb-speaker`: what users of MetalLB filter by. */
  readonly component: string
  /** Pod or node that speaks. */
  readonly instance: string
  readonly wall: () => Date
  /** Of news that are no warning; warnings go with rank 1. */
  readonly rank: Rank
}

interface Known {
  readonly name: string
  count: number
}

/** Events known so far; client-go keeps as many. */
const maxKnown = 4_096
/** Events about one object: a burst, then one in five minutes (client-go's filter). */
const burst = 25
const refillMs = 300_000

interface Bucket {
  tokens: number
  atMs: number
}

/** What has happened to whom. */
interface Record {
  readonly subject: Subject
  readonly happening: Happening
}

interface Memory {
  readonly known: Map<string, Known>
  readonly buckets: Map<string, Bucket>
  /** By `namespace/name`, then by gist. */
  readonly unsure: Map<string, Map<string, Record>>
  recorded: number
}

/** Nothing is remembered across restarts: the server then gets a new event with count 1. */
export function createRecorder(options: RecorderOptions): Recorder {
  const memory: Memory = { known: new Map(), buckets: new Map(), unsure: new Map(), recorded: 0 }
  const { unsure } = memory
  return {
    record: (subject, happening) => {
      const record: Record = { subject, happening }
      const truth = happening.isTrue === undefined || happening.isTrue()
      if (truth === undefined) keepUnsure(memory, record)
      else if (truth) put(options, memory, knownOf(record))
      else happening.dropped?.()
    },
    learned: (service) => {
      const records = unsure.get(service)
      if (records === undefined) return
      for (const [key, record] of records) {
        const { happening } = record
        const truth = happening.isTrue?.()
        if (truth === undefined) continue
        forgetUnsure(memory, service, key)
        if (truth) put(options, memory, knownOf(record))
        else happening.dropped?.()
      }
    },
    get unsure() {
      return unsure.keys()
    },
  }
}

/** Of what is known to have happened nothing is asked any more, unless it may end. */
function knownOf({ subject, happening }: Record): Record {
  const { isTrue: _, ...fact } = happening
  return { subject, happening: happening.mayEnd === true ? happening : fact }
}

/** By what an event is known that has happened. */
function keyOf({ subject, happening }: Record): string {
  const { type, reason, message } = happening
  return [subject.namespace, subject.name, subject.uid, type, reason, message].join('|')
}

/** By what it is known while nobody knows whether it has happened. */
function gistOf({ subject, happening: { reason, gist, message } }: Record): string {
  return [subject.uid, reason, gist ?? message].join('|')
}

function serviceOf({ subject: { namespace, name } }: Record): string {
  return `${namespace}/${name}`
}

function keepUnsure({ unsure }: Memory, record: Record): void {
  const service = serviceOf(record)
  const records = unsure.get(service) ?? new Map<string, Record>()
  unsure.set(service, records.set(gistOf(record), record))
}

function forgetUnsure({ unsure }: Memory, service: string, key: string): void {
  const records = unsure.get(service)
  records?.delete(key)
  if (records?.size === 0) unsure.delete(service)
}

/** Queues the write of what has happened, as far as is known. */
function put(options: RecorderOptions, memory: Memory, record: Record): void {
  const { subject, happening } = record
  const { known } = memory
  const key = keyOf(record)
  forgetUnsure(memory, serviceOf(record), gistOf(record))
  happening.happened?.()
  const wall = options.wall()
  const object = `${serviceOf(record)}/${subject.uid}`
  if (!takeToken(memory.buckets, object, wall.getTime())) return
  // Named once: where the answer was lost, the second attempt finds that it is there.
  const name = `${subject.name}.${wall.getTime().toString(16)}${uniqueTail(memory.recorded++)}`
  let before: Known | undefined
  const job: Job = {
    key: `event/${options.component}|${key}`,
    rank: happening.type === 'Warning' ? 1 : options.rank,
    isFact: true,
    make: () => {
      if (happening.isTrue?.() === false) {
        happening.dropped?.()
        return undefined
      }
      before = known.get(key)
      return before === undefined
        ? create(options, { subject, happening, name, wall })
        : countUp(subject, before, wall)
    },
    settled: ({ status }: Reply) => {
      const isThere = status < 300 || (before === undefined && status === 409)
      if (!isThere) known.delete(key)
      else if (before === undefined) remember(known, key, { name, count: 1 })
      else before.count += 1
      // Events expire after an hour: this one begins anew.
      if (before !== undefined && status === 404) options.writer.put(job)
    },
  }
  options.writer.put(job)
}

/** Tells events of one millisecond apart. */
function uniqueTail(recorded: number): string {
  return (recorded % 65_536).toString(16).padStart(4, '0')
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.set(key, value)
  if (map.size <= maxKnown) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

function takeToken(buckets: Map<string, Bucket>, object: string, nowMs: number): boolean {
  const before = buckets.get(object) ?? { tokens: burst, atMs: nowMs }
  const gained = Math.max(0, nowMs - before.atMs) / refillMs
  const tokens = Math.min(burst, before.tokens + gained)
  buckets.delete(object)
  remember(buckets, object, { tokens: Math.max(0, tokens - 1), atMs: nowMs })
  return tokens >= 1
}

/** Events carry whole seconds, as client-go writes them. */
function toSeconds(wall: Date): string {
  return wall.toISOString().replace(/\.\d+Z$/, 'Z')
}

function eventsOf({ namespace }: Subject): string {
  return `/api/v1/namespaces/${namespace}/events`
}

function countUp(subject: Subject, known: Known, wall: Date): Call {
  return {
    method: 'PATCH',
    path: `${eventsOf(subject)}/${known.name}`,
    contentType: 'application/merge-patch+json',
    wantsMetadata: true,
    body: { count: known.count + 1, lastTimestamp: toSeconds(wall) },
  }
}

function create(
  options: RecorderOptions,
  made: { subject: Subject; happening: Happening; name: string; wall: Date },
): Call {
  const { subject, happening: { type, reason, message }, name, wall } = made
  const { namespace } = subject
  const at = toSeconds(wall)
  return {
    method: 'POST',
    path: eventsOf(subject),
    wantsMetadata: true,
    body: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: { apiVersion: 'v1', kind: 'Service', ...subject },
      type, reason, message,
      source: { component: options.component },
      reportingComponent: options.component,
      reportingInstance: options.instance,
      firstTimestamp: at,
      lastTimestamp: at,
      count: 1,
    },
  }
}
