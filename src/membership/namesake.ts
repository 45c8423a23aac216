/**
 * Which of two hosts with one name is silent. Others know a name by the address that they met first, and
 * answer nobody else who has it (memberlist's conflict rule), so whoever comes later can be no member: it
 * must neither own nor vote. It learns of the first in the exchange by which it joins.
 */
import type { Millis } from '../net/model.ts'
import type { Endpoint } from './model.ts'
import { plainAddress } from './ring.ts'

/** A host with our name at another address. */
interface Namesake {
  readonly firstMs: Millis
  lastMs: Millis
  /** When others told of it last: they know the name by its address, and this host is no member. */
  believedMs: Millis | undefined
  /** When it said something itself; others believe in it when it may have gone, or has another address. */
  wordMs: Millis
  /** Since when it hands over, or yields, as far as it has said; undefined = it does not. */
  goingMs: Millis | undefined
}

/** Mutable; owned by the shell, changed by the functions below alone. */
export interface Namesakes {
  readonly self: Endpoint
  readonly startedMs: Millis
  /** When another member was met for the first time; undefined = never. */
  metMs: Millis | undefined
  /** By address and port. */
  readonly known: Map<string, Namesake & { readonly endpoint: Endpoint }>
  isYielding: boolean
}

/** Whoever hears of the other so soon after its start, or its first meeting, is the later one. */
export const newcomerMs: Millis = 3_000
/** Of two that have been here, none yields before: a newcomer has said by then that it does. */
export const graceMs: Millis = 10_000
/** Two of one name tell each other once a second: to what others believe nobody yields for longer. */
export const wordlessMs: Millis = 5_000
/** Exchanges with an address that never becomes a member's come every minute. */
export const namesakeMs: Millis = 90_000

export function createNamesakes(self: Endpoint, now: Millis): Namesakes {
  return { self, startedMs: now, metMs: undefined, known: new Map(), isYielding: false }
}

/** Another member is met. */
export function meetMember(n: Namesakes, now: Millis): void {
  n.metMs ??= now
}

/** Somebody says that our name is alive at another address. */
export function hearNamesake(
  n: Namesakes, heard: { readonly endpoint: Endpoint; readonly isGoing: boolean; readonly isWord: boolean },
  now: Millis,
): void {
  const { isGoing, isWord } = heard
  const endpoint = { ...heard.endpoint, address: plainAddress(heard.endpoint.address) }
  const key = keyOf(endpoint)
  const known = n.known.get(key) ??
    { endpoint, firstMs: now, lastMs: now, believedMs: undefined, wordMs: now, goingMs: undefined }
  known.lastMs = now
  if (isWord) known.wordMs = now
  else known.believedMs = now
  if (isWord || !n.known.has(key)) known.goingMs = isGoing ? known.goingMs ?? now : undefined
  n.known.set(key, known)
  decideNamesakes(n, now)
}

/**
 * Whoever hears of others that they believe in the other one yields for as long as that one speaks; so does a
 * newcomer, and says so. Of several that yield the lowest address does so no more, or whoever sees that the
 * other one goes on yielding: that one knows why. Two that both have been here, as when a split heals, leave
 * a newcomer time to yield: then the higher address does.
 */
export function decideNamesakes(n: Namesakes, now: Millis): void {
  for (const [key, { lastMs }] of n.known) if (now - lastMs > namesakeMs) n.known.delete(key)
  const rivals = [...n.known.values()].filter(({ wordMs }) => now - wordMs <= wordlessMs)
  const isBelieved = rivals.some(({ believedMs }) =>
    believedMs !== undefined && now - believedMs <= namesakeMs)
  if (isBelieved || n.isYielding) {
    n.isYielding = isBelieved || rivals.some(({ endpoint, goingMs }) =>
      goingMs === undefined || (now - goingMs <= graceMs && isBefore(endpoint, n.self)))
    return
  }
  n.isYielding = rivals.some(({ endpoint, firstMs, goingMs }) => {
    if (goingMs !== undefined) return false
    if (firstMs - n.startedMs < newcomerMs) return true
    if (n.metMs !== undefined && Math.abs(firstMs - n.metMs) < newcomerMs) return true
    return now - firstMs > graceMs && isBefore(endpoint, n.self)
  })
}

function keyOf({ address, port }: Endpoint): string {
  return [...address, port].join()
}

/** Any order will do that both see. */
function isBefore(a: Endpoint, b: Endpoint): boolean {
  if (a.address.length !== b.address.length) return a.address.length < b.address.length
  const at = a.address.findIndex((byte, i) => byte !== b.address[i])
  return at < 0 ? a.port < b.port : (a.address[at] ?? 0) < (b.address[at] ?? 0)
}
