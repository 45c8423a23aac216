/** Writes to the API server: many in flight but bounded, the newest wish per object, backing off. */
import { isFields } from '../config/fields.ts'
import type { Log } from '../log.ts'
import type { Millis } from '../net/model.ts'
import { type Api, type Call, describeReply, type Reply } from './api.ts'
import { type Backoff, backoffMs, lastRestMs, type Patience, patientRest } from './backoff.ts'
import { describeFailure } from './reflector.ts'

/** Smaller goes first. */
export type Rank = 0 | 1 | 2

export interface Job {
  /** One write a key at a time; a newer job replaces one that waits, and keeps its place. */
  readonly key: string
  readonly rank: Rank
  /** Makes the request when its turn has come; undefined = there is nothing to write any more. */
  readonly make: () => Call | undefined
  /** Written, or refused for good: 404 (gone), 409 (somebody else was faster), 422 and the like. */
  readonly settled?: (reply: Reply) => void
  /** Tells what has happened: stays through `clear`, and is written whatever `mayWrite` says. */
  readonly isFact?: true
}

export interface Writer extends AsyncDisposable {
  put(job: Job): void
  /** Forgets what waits and is no fact. What is in flight goes on, and is not tried again. */
  clear(): void
  /** Jobs that wait or are in flight. */
  readonly pending: number
  /** Settles when nothing waits or is in flight. */
  idle(): Promise<void>
  /** Why nothing is written at present; undefined = writing works. */
  readonly trouble: string | undefined
}

/** One that tells what its crowd consists of. */
export interface CountedWriter extends Writer {
  /** Jobs of the first rank that wait. */
  readonly urgent: number
  /** Jobs whose turn comes: `pending` without those that rest after a refusal. */
  readonly crowd: number
}

export interface WriterOptions {
  readonly api: Api
  readonly log: Log
  /** Writes in flight at one time. */
  readonly width: number
  /** Asked immediately before each write: false = do not write now, and forget the job. */
  readonly mayWrite?: () => boolean
  /** One of many that write: rests after each write, see `patientRest`. */
  readonly isPatient?: true
}

interface Entry {
  job: Job
  readonly order: number
  failures: number
}

/** Of one object; and of all, while the server is in trouble. */
const retry = { firstMs: 100, maxMs: 5_000 }
const refusedRetry = { firstMs: 2_000, maxMs: 60_000 }
/** A lease outlives a write sent in its time: 10 s of writing, 4 s under way, 15 s of lease. */
const timeoutMs: Millis = 4_000
/** Every so many writes the oldest job goes first, whatever its rank: none is starved. */
const fairEvery = 8
/**
 * Of the last rank so many are in flight, and each makes its place free only after a rest: what is least
 * urgent keeps the server from nobody, however much of it there is.
 */
const lastWidth = 2
const lastRank: Rank = 2

/** A write under way. */
interface Flight {
  readonly entry: Entry
  /** A job that came meanwhile. */
  newer: Job | undefined
  /** It is nobody's any more: whatever becomes of it, it is not tried again. */
  isForgotten: boolean
}

/** The mutable heart: jobs by rank in order of arrival, jobs that rest, keys in flight. */
interface Queue {
  readonly ranks: readonly [Map<string, Entry>, Map<string, Entry>, Map<string, Entry>]
  readonly resting: Map<string, { entry: Entry; timer: ReturnType<typeof setTimeout> }>
  readonly flying: Map<string, Flight>
  /** Places of the last rank that are taken: in flight, or resting after it. */
  lastTaken: number
  readonly rests: Set<ReturnType<typeof setTimeout>>
  arrived: number
  taken: number
}

/** Starts with nothing to do. */
export function createWriter(options: WriterOptions): CountedWriter {
  const queue = createQueue()
  let troubles = 0
  let trouble: string | undefined
  let patience: Patience = { restMs: 0, leastMs: Number.POSITIVE_INFINITY }
  let pause: ReturnType<typeof setTimeout> | undefined
  let isClosed = false
  let whenIdle: (() => void)[] = []

  const pump = (): void => {
    while (!isClosed && pause === undefined && queue.flying.size < options.width) {
      const entry = takeNext(queue)
      if (entry === undefined) break
      void fly(entry)
    }
    if (countPending(queue) > 0) return
    for (const resolve of whenIdle) resolve()
    whenIdle = []
  }
  const rest = (waitMs: Millis): void => {
    pause = setTimeout(() => {
      pause = undefined
      pump()
    }, waitMs)
  }
  const fly = async (entry: Entry): Promise<void> => {
    const sentAtMs = performance.now()
    const outcome = await attempt(options, entry)
    if (outcome.kind === 'trouble') {
      trouble = outcome.why
      // What was in flight together fails together: that is one trouble, and one wait.
      if (pause === undefined) rest(outcome.waitMs ?? backoffMs(retry, ++troubles, Math.random()))
    } else if (outcome.kind !== 'none') {
      troubles = 0
      trouble = undefined
      patience = patientRest(performance.now() - sentAtMs, patience.leastMs)
      if (options.isPatient === true && pause === undefined) rest(patience.restMs)
    }
    land(queue, entry, outcome, pump)
    const tookMs = outcome.kind === 'none' || options.isPatient === true ? 0 : performance.now() - sentAtMs
    if (entry.job.rank === lastRank) freePlace(queue, lastRestMs(tookMs, patience.leastMs), pump)
    pump()
  }
  return {
    put: (job) => {
      if (isClosed) return
      replaceOrAdd(queue, job)
      pump()
    },
    clear: () => clear(queue, ({ isFact }) => isFact === true),
    get pending() {
      return countPending(queue)
    },
    get urgent() {
      return queue.ranks[0].size
    },
    get crowd() {
      return countPending(queue) - queue.resting.size
    },
    get trouble() {
      return trouble
    },
    idle: () => new Promise((resolve) => (whenIdle.push(resolve), pump())),
    [Symbol.asyncDispose]: async () => {
      isClosed = true
      for (const timer of [pause, ...queue.rests]) clearTimeout(timer)
      clear(queue, () => false)
    },
  }
}

/** Nothing to do. */
function createQueue(): Queue {
  return {
    ranks: [new Map(), new Map(), new Map()], resting: new Map(), flying: new Map(),
    lastTaken: 0, rests: new Set(), arrived: 0, taken: 0,
  }
}

function countPending(queue: Queue): number {
  const [a, b, c] = queue.ranks
  return a.size + b.size + c.size + queue.resting.size + queue.flying.size
}

function clear(queue: Queue, isKept: (job: Job) => boolean): void {
  for (const rank of queue.ranks) {
    for (const [key, { job }] of rank) if (!isKept(job)) rank.delete(key)
  }
  for (const [key, { entry, timer }] of queue.resting) {
    if (isKept(entry.job)) continue
    clearTimeout(timer)
    queue.resting.delete(key)
  }
  for (const flight of queue.flying.values()) {
    if (flight.newer !== undefined && !isKept(flight.newer)) flight.newer = undefined
    if (!isKept(flight.entry.job)) flight.isForgotten = true
  }
}

function replaceOrAdd(queue: Queue, job: Job): void {
  const flight = queue.flying.get(job.key)
  if (flight !== undefined) return void (flight.newer = job)
  const resting = queue.resting.get(job.key)
  if (resting !== undefined) {
    // A new wish is a new try.
    clearTimeout(resting.timer)
    queue.resting.delete(job.key)
    enqueue(queue, { ...resting.entry, job })
    return
  }
  const waiting = queue.ranks.map((rank) => rank.get(job.key)).find((entry) => entry !== undefined)
  if (waiting?.job.rank === job.rank) waiting.job = job
  else {
    if (waiting !== undefined) queue.ranks[waiting.job.rank].delete(job.key)
    enqueue(queue, { job, order: queue.arrived++, failures: 0 })
  }
}

function enqueue(queue: Queue, entry: Entry): void {
  queue.ranks[entry.job.rank].set(entry.job.key, entry)
}

/** A newer job takes the place of the one that has landed; one that failed waits again. */
function land(queue: Queue, entry: Entry, outcome: Outcome, pump: () => void): void {
  const { key } = entry.job
  const flight = queue.flying.get(key)
  queue.flying.delete(key)
  if (flight?.newer !== undefined) enqueue(queue, { ...entry, job: flight.newer })
  else if (flight?.isForgotten === true) return
  else if (outcome.kind === 'trouble') enqueue(queue, entry)
  else if (outcome.kind === 'refused') restEntry(queue, entry, outcome.retry, pump)
}

/** A place of the last rank is free again, after its rest. */
function freePlace(queue: Queue, restMs: Millis, pump: () => void): void {
  if (restMs === 0) {
    queue.lastTaken -= 1
    return
  }
  const timer = setTimeout(() => {
    queue.rests.delete(timer)
    queue.lastTaken -= 1
    pump()
  }, restMs)
  queue.rests.add(timer)
}

function restEntry(queue: Queue, entry: Entry, how: Backoff, pump: () => void): void {
  const timer = setTimeout(() => {
    queue.resting.delete(entry.job.key)
    enqueue(queue, entry)
    pump()
  }, backoffMs(how, entry.failures, Math.random()))
  queue.resting.set(entry.job.key, { entry, timer })
}

/** The first of the lowest rank; now and then the oldest of all. */
function takeNext(queue: Queue): Entry | undefined {
  const firsts = queue.ranks.flatMap((rank, i) => {
    const [first] = rank.values()
    const isFull = i === lastRank && queue.lastTaken >= lastWidth
    return first === undefined || isFull ? [] : [first]
  })
  const isFair = ++queue.taken % fairEvery === 0
  const entry = isFair ? firsts.toSorted((a, b) => a.order - b.order)[0] : firsts[0]
  if (entry === undefined) return undefined
  const { key, rank } = entry.job
  queue.ranks[rank].delete(key)
  queue.flying.set(key, { entry, newer: undefined, isForgotten: false })
  if (rank === lastRank) queue.lastTaken += 1
  return entry
}

/** The object's namespace is being deleted: nothing can be made in it, and nobody will read it. */
function isEnding({ value }: Reply): boolean {
  const details = isFields(value) ? value['details'] : undefined
  const causes = isFields(details) ? details['causes'] : undefined
  return Array.isArray(causes) &&
    causes.some((cause: unknown) => isFields(cause) && cause['reason'] === 'NamespaceTerminating')
}

type Outcome =
  | { readonly kind: 'settled' }
  /** Nothing was written. */
  | { readonly kind: 'none' }
  /** The server does not answer or asks for patience: everything waits. */
  | { readonly kind: 'trouble'; readonly why: string; readonly waitMs: Millis | undefined }
  /** This write is not allowed, or breaks something; the others may be good. */
  | { readonly kind: 'refused'; readonly retry: Backoff }

async function attempt(options: WriterOptions, entry: Entry): Promise<Outcome> {
  const { api, log, mayWrite } = options
  const { job } = entry
  const call = job.isFact !== true && mayWrite?.() === false ? undefined : job.make()
  if (call === undefined) return { kind: 'none' }
  try {
    const reply = await api.call({ timeoutMs, ...call })
    const { status } = reply
    // 500 is about the object (an admission webhook that fails), the others about the server.
    if (status === 429 || status > 500) {
      return { kind: 'trouble', why: describeReply(reply), waitMs: reply.retryAfterMs }
    }
    if (status === 403 && isEnding(reply)) {
      entry.job.settled?.(reply)
      return { kind: 'settled' }
    }
    if (status === 401 || status === 403 || status === 500) {
      // A server that has just started denies everything for a moment: told the second time.
      if (entry.failures++ === 1) {
        log.error('write refused', { key: entry.job.key, error: describeReply(reply) })
      }
      return { kind: 'refused', retry: status === 500 ? retry : refusedRetry }
    }
    const isExpected = status < 400 || status === 404 || status === 409
    if (!isExpected) log.error('write refused', { key: entry.job.key, error: describeReply(reply) })
    entry.job.settled?.(reply)
    return { kind: 'settled' }
  } catch (error) {
    return { kind: 'trouble', why: describeFailure(error), waitMs: undefined }
  }
}
