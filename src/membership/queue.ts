/** Broadcasts that wait to ride on packets: the least sent first, then the longest, then the newest. */
import type { Bytes } from './wire/bytes.ts'

export interface Broadcast {
  /** A newer broadcast of the same key replaces this one. */
  readonly key: string
  readonly message: Bytes
  /** The one whose end completes our leave. */
  readonly isLeave: boolean
  readonly id: number
  transmits: number
}

/** Mutable, owned by one ring. */
export interface Queue {
  /** In the order of service. */
  entries: Broadcast[]
  readonly byKey: Map<string, Broadcast>
  ids: number
}

/** More than this many wait only while somebody floods: then the most sent go first. */
export const maxBroadcasts = 4_096

export function createQueue(): Queue {
  return { entries: [], byKey: new Map(), ids: 0 }
}

/** Adds a broadcast; true when it replaced our leave, or pushed it out. */
export function enqueue(
  queue: Queue, broadcast: { readonly key: string; readonly message: Bytes; readonly isLeave?: boolean },
): boolean {
  const { key, message, isLeave = false } = broadcast
  const { entries, byKey } = queue
  const replaced = byKey.get(key)
  if (replaced !== undefined) entries.splice(placeOf(entries, replaced), 1)
  const entry = { key, message, isLeave, id: ++queue.ids, transmits: 0 }
  entries.splice(placeOf(entries, entry), 0, entry)
  byKey.set(key, entry)
  const dropped = entries.length > maxBroadcasts ? entries.pop() : undefined
  if (dropped !== undefined) byKey.delete(dropped.key)
  return replaced?.isLeave === true || dropped?.isLeave === true
}

/** The index of the first entry that is not served before `entry`. */
function placeOf(entries: readonly Broadcast[], entry: Broadcast): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >> 1
    const found = entries[middle]
    if (found !== undefined && compare(found, entry) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function compare(a: Broadcast, b: Broadcast): number {
  return a.transmits - b.transmits || b.message.length - a.message.length || b.id - a.id
}

export interface Take {
  /** Bytes that each message adds to its own length. */
  readonly overheadBytes: number
  readonly mostBytes: number
  readonly mostCount: number
  /** Hand-outs after which a broadcast is finished. */
  readonly limit: number
}

export interface Taken {
  readonly messages: readonly Bytes[]
  readonly finishedLeave: boolean
}

/** Hands out what fits, each message at most once, and counts that. */
export function takeBroadcasts(queue: Queue, take: Take): Taken {
  const messages: Bytes[] = []
  let finishedLeave = false
  let freeBytes = take.mostBytes
  const kept: Broadcast[] = []
  for (const entry of queue.entries) {
    const bytes = entry.message.length + take.overheadBytes
    if (bytes > freeBytes || messages.length >= take.mostCount) {
      kept.push(entry)
      continue
    }
    freeBytes -= bytes
    messages.push(entry.message)
    entry.transmits++
    if (entry.transmits < take.limit) kept.push(entry)
    else {
      queue.byKey.delete(entry.key)
      finishedLeave ||= entry.isLeave
    }
  }
  if (messages.length > 0) queue.entries = kept.sort(compare)
  return { messages, finishedLeave }
}
