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
  /** Asked when its turn has come: what has not happened after all is not told. */
  readonly isTrue?: () => boolean
}

export interface Recorder {
  record(subject: Subject, happening: Happening): void
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

/** Nothing is remembered across restarts: the server then gets a new event with count 1. */
export function createRecorder(options: RecorderOptions): Recorder {
  const known = new Map<string, Known>()
  const buckets = new Map<string, Bucket>()
  const prefix = `event/${options.component}`
  let recorded = 0
  return {
    record: (subject, happening) => {
      const object = `${subject.namespace}/${subject.name}/${subject.uid}`
      const wall = options.wall()
      if (!takeToken(buckets, object, wall.getTime())) return
      const { type, reason, message, isTrue } = happening
      const key = [prefix, object, type, reason, message].join('|')
      // Named once: where the answer was lost, the second attempt finds that it is there.
      const name = `${subject.name}.${wall.getTime().toString(16)}${uniqueTail(recorded++)}`
      let before: Known | undefined
      const job: Job = {
        key,
        rank: type === 'Warning' ? 1 : options.rank,
        isFact: true,
        make: () => {
          if (isTrue?.() === false) return undefined
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
    },
  }
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
