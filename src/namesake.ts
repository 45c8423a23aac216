/** Hosts of the ring that have one name, as of now: who they are, and whether this one is to be silent. */
import type { Clock } from './clock.ts'
import type { Effect, Endpoint } from './membership/model.ts'
import {
  createNamesakes, decideNamesakes, hearNamesake, meetMember, namesakeMs,
} from './membership/namesake.ts'
import { fromAddressBytes } from './membership/net/endpoint.ts'
import type { Address, Millis } from './net/model.ts'
import { isGoodbye } from './ownership/meta.ts'

export interface NameConflict {
  readonly name: string
  /** The one that others know, as far as this host knows; and the one that is no member. */
  readonly first: Address
  readonly second: Address
  /** Which of them this host is. */
  readonly here: 'first' | 'second' | 'neither'
}

export interface NameWatch extends Disposable {
  /** Another member is known. */
  meet(): void
  take(conflict: Extract<Effect, { readonly kind: 'conflict' }>): void
  /** Sorted by name and addresses. */
  list(): readonly NameConflict[]
  /** This host neither owns nor says anything. */
  isYielding(): boolean
}

export interface NameWatchOptions {
  readonly name: string
  readonly self: Endpoint
  readonly clock: Clock
  /** `list` or `isYielding` says something else. */
  readonly onChange: () => void
  /** Says to a host of this name what this one does. */
  readonly greet: (to: Endpoint) => void
}

/** Two of one name tell each other so often, and end it by saying nothing for long. */
const lookMs: Millis = 1_000
/** More are not told apart. */
const maxThird = 100

export function watchNames({ name, self, clock, onChange, greet }: NameWatchOptions): NameWatch {
  const own = createNamesakes(self, clock.now())
  const third = new Map<string, { readonly conflict: NameConflict; readonly lastMs: Millis }>()
  let told = textOf(false, [], [])
  const list = (): readonly NameConflict[] => {
    const here = addressOf(self)
    const mine = [...own.known.values()].map(({ endpoint }): NameConflict => {
      const there = addressOf(endpoint)
      return own.isYielding
        ? { name, first: there, second: here, here: 'second' }
        : { name, first: here, second: there, here: 'first' }
    })
    const others = [...third].toSorted(([a], [b]) => (a < b ? -1 : 1))
    return [...mine, ...others.map(([, { conflict }]) => conflict)]
  }
  const look = (): void => {
    const now = clock.now()
    decideNamesakes(own, now)
    for (const [key, { lastMs }] of third) if (now - lastMs > namesakeMs) third.delete(key)
    const text = textOf(own.isYielding, [...own.known.keys()], [...third.keys()])
    if (text === told) return
    told = text
    onChange()
  }
  // Where all have names of their own, nothing is looked at.
  let timer: ReturnType<typeof setInterval> | undefined
  const rest = (): void => {
    clearInterval(timer)
    timer = undefined
  }
  const watch = (): void => {
    timer ??= setInterval(() => {
      for (const { endpoint } of own.known.values()) greet(endpoint)
      look()
      if (own.known.size + third.size === 0) rest()
    }, lookMs)
    timer.unref()
  }
  return {
    list,
    meet: () => meetMember(own, clock.now()),
    isYielding: () => own.isYielding,
    take: ({ name: claimed, known, claimed: other, meta, isWord }) => {
      const now = clock.now()
      if (claimed === name) hearNamesake(own, { endpoint: other, isGoing: isGoodbye(meta), isWord }, now)
      else if (third.size < maxThird) {
        const [first, second] = [addressOf(known), addressOf(other)]
        const conflict: NameConflict = { name: claimed, first, second, here: 'neither' }
        third.set(`${claimed} ${other.address.join()}`, { conflict, lastMs: now })
      }
      watch()
      look()
    },
    [Symbol.dispose]: rest,
  }
}

function textOf(isYielding: boolean, own: readonly string[], third: readonly string[]): string {
  return JSON.stringify([isYielding, own.toSorted(), third.toSorted()])
}

function addressOf({ address }: Endpoint): Address {
  return fromAddressBytes(address)
}
