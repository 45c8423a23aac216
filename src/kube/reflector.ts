/** Keeps a copy of one kind of object: lists it once, then follows every change. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Fields, isFields } from '../config/fields.ts'
import type { Log } from '../log.ts'
import type { Millis } from '../net/model.ts'
import { type Api, describeReply, Refused } from './api.ts'
import { backoffMs } from './backoff.ts'
import { type Changed, createChanged } from './changed.ts'
import { keyOf, metadataOf } from './object.ts'
import { readVersion } from './server.ts'

export interface Resource<T> {
  /** What the log calls it: `services`. */
  readonly name: string
  /** `/api/v1/services` */
  readonly path: string
  /** `labelSelector=…`, encoded; '' = everything. */
  readonly query?: string
  /** What is kept of an object: the fields that decisions read. undefined = none of ours. */
  readonly narrow: (object: Fields) => T | undefined
  /** True: the change concerns nothing that is kept, and is told to nobody. */
  readonly isSame?: (before: T, after: T) => boolean
  /** An object was listed, changed or deleted, whatever becomes of it: counted. */
  readonly seen?: () => void
  /** A custom resource: the server may not know it. Without the others it would be no API server. */
  readonly isCustom?: true
}

export interface Reflector<T> extends Disposable {
  /** By `namespace/name`, or `name` where there is no namespace. Never a half-made list. */
  readonly items: ReadonlyMap<string, T>
  /** The first list is complete, or the server does not know the kind. */
  readonly isSynced: boolean
  /** False: the server does not know the kind (no such CRD). */
  readonly isServed: boolean
  /** Why there is no news at present: `connection refused`; undefined = following. */
  readonly trouble: string | undefined
  /** Keys of what came, changed or went since this was asked last; undefined = everything may have. */
  takeChanged(): ReadonlySet<string> | undefined
  /** Lists again, so that everything written before this call is seen; settles when it is. */
  refresh(): Promise<void>
}

export interface ReflectorOptions {
  readonly api: Api
  readonly log: Log
  /** After each batch of changes. */
  readonly onChange: () => void
  /** The first list waits for it. */
  readonly after?: Promise<unknown> | undefined
}

const pageItems = 500
const retry = { firstMs: 100, maxMs: 5_000 }
/** Asked of the server: it ends each watch after 4 to 8 minutes, as client-go asks. */
const watchSeconds = { min: 240, spread: 240 }
/** Bookmarks come about every minute; this much silence is a dead connection. */
const silenceMs: Millis = 150_000
/** A kind that had objects is taken as removed when the server denies it for so long. */
const removedAfterMs: Millis = 10_000
/** A watch that lived so long has worked: its end is the first failure, not one more. */
const livedMs: Millis = 5_000
/** A failing resource is told again after this time. */
const tellAgainMs: Millis = 60_000

interface State<T> {
  items: Map<string, T>
  readonly changed: Changed
  isSynced: boolean
  /** undefined = a list is due. */
  version: string | undefined
  trouble: string | undefined
  toldAtMs: Millis
  deniedAtMs: Millis | undefined
  /** Ends the present watch, so that the loop lists again. */
  interrupt: () => void
  whenListed: (() => void)[]
}

/** Starts at once and goes on, whatever happens, until disposed. */
export function openReflector<T>(
  resource: Resource<T>, options: ReflectorOptions,
): Reflector<T> {
  const state: State<T> = {
    items: new Map(), changed: createChanged(), isSynced: false, version: undefined, trouble: undefined,
    toldAtMs: Number.NEGATIVE_INFINITY, deniedAtMs: undefined, interrupt: () => undefined,
    whenListed: [],
  }
  const ending = new AbortController()
  void run(resource, options, state, ending.signal)
  return {
    get items() {
      return state.items
    },
    get isSynced() {
      return state.isSynced
    },
    get isServed() {
      return state.deniedAtMs === undefined
    },
    get trouble() {
      return state.trouble
    },
    takeChanged: () => state.changed.take(),
    refresh: () => new Promise((resolve) => {
      state.version = undefined
      state.whenListed.push(resolve)
      state.interrupt()
    }),
    [Symbol.dispose]: () => {
      ending.abort()
      state.interrupt()
    },
  }
}

async function run<T>(
  resource: Resource<T>, options: ReflectorOptions, state: State<T>, signal: AbortSignal,
): Promise<void> {
  let failures = 0
  /** A watch goes on where another has ended. */
  let isResumed = false
  await options.after
  while (!signal.aborted) {
    let begunAtMs = performance.now()
    try {
      if (isResumed && await isBehind(resource, options, state)) state.version = undefined
      while (state.version === undefined || state.whenListed.length > 0) {
        await list(resource, options, state)
      }
      // Disposed while it listed: a watch would be interrupted by nobody, and keep the process alive.
      if (signal.aborted) return
      isResumed = true
      begunAtMs = performance.now()
      const isInterrupted = await follow(resource, options, state)
      if (isInterrupted) continue
      // A server that ends watches at once is in trouble, whatever it says.
      failures = performance.now() - begunAtMs < 1_000 ? failures + 1 : 0
    } catch (error) {
      // Something in between that ends connections after a minute is no reason to wait or to list.
      failures = performance.now() - begunAtMs > livedMs ? 1 : failures + 1
      // Whatever the server's trouble with this version is, a new list ends it.
      if (failures % 5 === 0) state.version = undefined
      const isDenied = resource.isCustom === true && await deniesKind(options.api, error)
      judge(resource, options, state, { error, isDenied })
    }
    const waitMs = failures === 0 ? 0 : backoffMs(retry, failures, Math.random())
    await sleep(waitMs, undefined, { signal }).catch(() => undefined)
  }
}

/** Reads all pages, then replaces the copy at once: whoever looks meanwhile sees the old one. */
async function list<T>(
  resource: Resource<T>, { api, onChange }: ReflectorOptions, state: State<T>,
): Promise<void> {
  const fresh = new Map<string, T>()
  const waiting = new Set(state.whenListed)
  let version = ''
  let next = ''
  do {
    const page = next === '' ? '' : `&continue=${encodeURIComponent(next)}`
    const path = `${resource.path}?limit=${pageItems}${page}${queryOf(resource)}`
    const reply = await api.call({ method: 'GET', path })
    const { value } = reply
    if (reply.status !== 200 || !isFields(value)) throw new Refused(reply)
    const metadata = metadataOf(value)
    // A later page carries the version of the first: the list is of one instant.
    version = String(metadata['resourceVersion'] ?? '')
    next = typeof metadata['continue'] === 'string' ? metadata['continue'] : ''
    for (const object of Array.isArray(value['items']) ? value['items'] : []) {
      keep(resource, fresh, object)
    }
  } while (next !== '')
  state.items = fresh
  state.changed.noteAll()
  state.version = version
  state.isSynced = true
  state.trouble = undefined
  state.deniedAtMs = undefined
  state.whenListed = state.whenListed.filter((resolve) => !waiting.has(resolve))
  for (const resolve of waiting) resolve()
  onChange()
}

/**
 * Whether the server knows less than we do: restored from a backup, it would agree to a watch from
 * our version, and be silent until it has caught up. A read without a version is answered by the store.
 */
async function isBehind<T>(
  resource: Resource<T>, { api }: ReflectorOptions, { version }: State<T>,
): Promise<boolean> {
  if (version === undefined) return false
  const reply = await api.call({ method: 'GET', path: `${resource.path}?limit=1${queryOf(resource)}` })
  if (reply.status !== 200 || !isFields(reply.value)) throw new Refused(reply)
  const { resourceVersion } = metadataOf(reply.value)
  return isOlder(String(resourceVersion), version)
}

/** Versions are numbers in all stores there are; where they are not, nothing is known. */
function isOlder(a: string, b: string): boolean {
  return /^\d+$/.test(a) && /^\d+$/.test(b) && BigInt(a) < BigInt(b)
}

function queryOf<T>(resource: Resource<T>): string {
  return resource.query === undefined || resource.query === '' ? '' : `&${resource.query}`
}

/** Stores what is kept of an object; whether anything that is kept changed. */
function keep<T>(resource: Resource<T>, items: Map<string, T>, object: unknown): boolean {
  if (!isFields(object)) return false
  resource.seen?.()
  const key = keyOf(object)
  const kept = resource.narrow(object)
  if (kept === undefined) return items.delete(key)
  const before = items.get(key)
  // What is the same stays the same value: plans know it again.
  if (before !== undefined && resource.isSame?.(before, kept) === true) return false
  items.set(key, kept)
  return true
}

/** Follows changes until the stream ends: in order, or, true, because it was interrupted. */
async function follow<T>(
  resource: Resource<T>, options: ReflectorOptions, state: State<T>,
): Promise<boolean> {
  const { api, onChange } = options
  const stopping = new AbortController()
  state.interrupt = () => stopping.abort()
  const seconds = watchSeconds.min + Math.floor(Math.random() * watchSeconds.spread)
  const path = `${resource.path}?watch=true&allowWatchBookmarks=true&timeoutSeconds=${seconds}` +
    `&resourceVersion=${state.version ?? ''}${queryOf(resource)}`
  try {
    await api.watch({
      path, signal: stopping.signal, silenceMs,
      onEvents: (events) => {
        state.trouble = undefined
        let isChanged = false
        try {
          for (const event of events) isChanged = takeEvent(resource, state, event) || isChanged
        } finally {
          // What came before an error has happened.
          if (isChanged) onChange()
        }
      },
    })
  } catch (error) {
    if (!stopping.signal.aborted) throw error
  }
  return stopping.signal.aborted
}

function takeEvent<T>(
  resource: Resource<T>, state: State<T>, event: unknown,
): boolean {
  if (!isFields(event) || !isFields(event['object'])) throw new Error('a watch event has no object')
  const { type, object } = event
  if (type === 'ERROR') {
    const code = typeof object['code'] === 'number' ? object['code'] : 500
    throw new Refused({ status: code, value: object, retryAfterMs: undefined })
  }
  const { resourceVersion } = metadataOf(object)
  if (typeof resourceVersion === 'string') state.version = resourceVersion
  if (type === 'BOOKMARK') return false
  const isChanged = type === 'DELETED'
    ? (resource.seen?.(), state.items.delete(keyOf(object)))
    : keep(resource, state.items, object)
  if (isChanged) state.changed.note(keyOf(object))
  return isChanged
}

/** Whether an API server says that it has no such kind: a proxy may say 404 to whatever it is asked. */
async function deniesKind(api: Api, error: unknown): Promise<boolean> {
  if (!(error instanceof Refused) || error.reply.status !== 404) return false
  return readVersion(api).then(({ major }) => Number.isFinite(major), () => false)
}

/** Decides what a failure means: list again, an unknown kind, or only wait. Tells it, not too often. */
function judge<T>(
  resource: Resource<T>, { log, onChange }: ReflectorOptions, state: State<T>,
  { error, isDenied }: { readonly error: unknown; readonly isDenied: boolean },
): void {
  const now = performance.now()
  const status = error instanceof Refused ? error.reply.status : undefined
  // 410: the server has forgotten the version; 504: it does not know it yet, restored from a backup.
  if (status === 410 || status === 504) state.version = undefined
  if (status === 410) return
  if (isDenied) {
    state.version = undefined
    state.deniedAtMs ??= now
    const isRemoved = state.items.size === 0 || now - state.deniedAtMs > removedAfterMs
    if (isRemoved && (!state.isSynced || state.items.size > 0)) {
      state.items = new Map()
      state.changed.noteAll()
      state.isSynced = true
      onChange()
    }
  } else {
    state.deniedAtMs = undefined
  }
  state.trouble = describeFailure(error)
  if (now - state.toldAtMs < tellAgainMs) return
  state.toldAtMs = now
  const msg = isDenied ? 'the API server does not know the resource' : 'watch failed, trying again'
  log[isDenied ? 'info' : 'warn'](msg, { resource: resource.name, error: state.trouble })
}

/** What went wrong, as words. */
export function describeFailure(error: unknown): string {
  if (error instanceof Refused) return describeReply(error.reply)
  return error instanceof Error ? error.message : String(error)
}
