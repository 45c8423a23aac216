/**
 * A model of the membership ring: who each node believes alive, and messages that spread. Times are
 * memberlist's on a LAN: a dead node is declared so after 5 to 8 s, news takes some 200 ms rounds.
 */
import type { Millis } from '../net/model.ts'
import { after, type Clock } from './clock.ts'
import type { Random } from './random.ts'

/** What a node believes of another. */
export interface View {
  isAlive: boolean
  /** Version of the metadata it has. */
  version: number
  /** What it will believe once the news has arrived. */
  goal: boolean
  /** Number of the latest news: earlier ones that are still on their way are void. */
  pending: number
}

export interface GossipMember {
  readonly name: string
  /** Nodes with the same key reach each other; undefined reaches nobody. */
  path(): string | undefined
  /** Its process stands still: what is sent to it waits. */
  isStill(): boolean
  /** The view has changed. */
  readonly onView: () => void
  readonly onMessage: (from: string, bytes: Uint8Array, isGossip: boolean) => void
}

export interface Gossip {
  readonly clock: Clock
  readonly random: Random
  readonly members: Map<string, GossipMember>
  /** By viewer, then subject. */
  readonly views: Map<string, Map<string, View>>
  readonly versions: Map<string, number>
  readonly keys: Map<string, string | undefined>
  messages: number
}

const deadAfterMs = { from: 5_000, to: 7_400, spread: 600 }
const newsMs = { from: 5, to: 450 }
const rejoinMs = { from: 60, to: 1_500 }

export function createGossip(clock: Clock, random: Random): Gossip {
  return {
    clock, random, members: new Map(), views: new Map(), versions: new Map(), keys: new Map(),
    messages: 0,
  }
}

/** A process starts and joins: it and the others learn of each other soon. */
export function join(gossip: Gossip, member: GossipMember): void {
  gossip.members.set(member.name, member)
  gossip.views.set(member.name, new Map())
  gossip.keys.set(member.name, undefined)
  refresh(gossip)
  publish(gossip, member.name)
}

/** It says goodbye: those who hear it know at once. */
export function leave(gossip: Gossip, name: string): void {
  const key = gossip.keys.get(name)
  remove(gossip, name)
  for (const [viewer, views] of gossip.views) {
    const view = views.get(name)
    if (view === undefined || key === undefined || gossip.keys.get(viewer) !== key) continue
    view.goal = false
    const ticket = ++view.pending
    after(gossip.clock, gossip.random.between(newsMs.from, newsMs.to), () =>
      settle(gossip, viewer, { view, ticket, isAlive: false }))
  }
}

/** It is gone without a word. */
export function remove(gossip: Gossip, name: string): void {
  gossip.members.delete(name)
  gossip.views.delete(name)
  gossip.keys.delete(name)
  refresh(gossip)
}

/** New metadata of `name` is on its way to the others. */
export function publish(gossip: Gossip, name: string): void {
  const version = (gossip.versions.get(name) ?? 0) + 1
  gossip.versions.set(name, version)
  for (const viewer of gossip.members.keys()) {
    if (viewer === name) continue
    after(gossip.clock, gossip.random.between(newsMs.from, newsMs.to), () => {
      const view = gossip.views.get(viewer)?.get(name)
      if (view === undefined || view.version >= version) return
      if (gossip.keys.get(viewer) !== gossip.keys.get(name)) return
      view.version = version
      gossip.members.get(viewer)?.onView()
    })
  }
}

/** Whoever `viewer` has ever seen, with what it believes. */
export function viewOf(gossip: Gossip, viewer: string): ReadonlyMap<string, View> {
  return gossip.views.get(viewer) ?? new Map()
}

/** To be called after each change of who reaches whom. O(N) if nothing changed, else O(N²). */
export function refresh(gossip: Gossip): void {
  const changed = new Set<string>()
  for (const [name, member] of gossip.members) {
    const key = member.isStill() ? undefined : member.path()
    if (gossip.keys.get(name) !== key) changed.add(name)
    gossip.keys.set(name, key)
  }
  const spread = new Map<string, Millis>()
  for (const [viewer, views] of gossip.views) {
    const key = gossip.keys.get(viewer)
    // Whoever does not run, or was not touched, sees what it saw.
    if (key === undefined) continue
    const subjects = changed.has(viewer) ? gossip.versions.keys() : gone(gossip, views, changed)
    for (const subject of subjects) {
      if (subject !== viewer) look(gossip, viewer, subject, spread)
    }
  }
}

function gone(
  gossip: Gossip, views: ReadonlyMap<string, View>, changed: ReadonlySet<string>,
): Iterable<string> {
  const absent = [...views.keys()].filter((name) => !gossip.members.has(name))
  return [...changed, ...absent]
}

function look(
  gossip: Gossip, viewer: string, subject: string, spread: Map<string, Millis>,
): void {
  const { random } = gossip
  const views = gossip.views.get(viewer)
  if (views === undefined) return
  const key = gossip.keys.get(viewer)
  const isReached = gossip.members.has(subject) && gossip.keys.get(subject) === key
  let view = views.get(subject)
  if (view === undefined) {
    if (!isReached) return
    view = { isAlive: false, goal: false, version: 0, pending: 0 }
    views.set(subject, view)
  }
  if (isReached) catchUp(gossip, viewer, subject, view)
  if (view.goal === isReached) return
  view.goal = isReached
  const known = view
  const ticket = ++known.pending
  if (view.isAlive === isReached) return
  if (isReached) {
    after(gossip.clock, random.between(rejoinMs.from, rejoinMs.to), () =>
      settle(gossip, viewer, {
        view: known, ticket, isAlive: true, version: gossip.versions.get(subject),
      }))
    return
  }
  // Nodes that still reach each other learn of a death at about the same time.
  const base = spread.get(`${subject} ${key}`) ?? random.between(deadAfterMs.from, deadAfterMs.to)
  spread.set(`${subject} ${key}`, base)
  after(gossip.clock, base + random.between(0, deadAfterMs.spread), () =>
    settle(gossip, viewer, { view: known, ticket, isAlive: false }))
}

/** News that one of the two missed while it stood still, or was not reached, arrives when they meet again. */
function catchUp(gossip: Gossip, viewer: string, subject: string, view: View): void {
  if (!view.isAlive || view.version >= (gossip.versions.get(subject) ?? 0)) return
  after(gossip.clock, newsMs.to, () => {
    const version = gossip.versions.get(subject) ?? 0
    const key = gossip.keys.get(viewer)
    if (key === undefined || gossip.keys.get(subject) !== key || view.version >= version) return
    view.version = version
    gossip.members.get(viewer)?.onView()
  })
}

/** What a viewer comes to believe of a subject. */
interface News {
  readonly view: View
  readonly ticket: number
  readonly isAlive: boolean
  readonly version?: number | undefined
}

function settle(gossip: Gossip, viewer: string, { view, ticket, isAlive, version }: News): void {
  if (view.pending !== ticket) return
  if (gossip.keys.get(viewer) === undefined) {
    // It does not run: it will look again when it does.
    view.goal = view.isAlive
    return
  }
  view.isAlive = isAlive
  // What it was told meanwhile is newer.
  if (version !== undefined) view.version = Math.max(view.version, version)
  gossip.members.get(viewer)?.onView()
}

/** A message to all that `from` reaches: late, in any order, and to some of them twice. */
export function spreadMessage(gossip: Gossip, from: string, bytes: Uint8Array): void {
  const { clock, random } = gossip
  const key = gossip.keys.get(from)
  if (key === undefined) return
  const rounds = Math.ceil(Math.log(gossip.members.size + 1) / Math.log(4))
  for (const [name, member] of gossip.members) {
    if (name === from) continue
    const copies = random.chance(0.1) ? 2 : 1
    for (let i = 0; i < copies; i++) {
      gossip.messages++
      const delayMs = random.between(1, 50) + 200 * random.below(rounds + i)
      after(clock, delayMs, () => {
        if (gossip.keys.get(name) === key) member.onMessage(from, bytes, true)
      })
    }
  }
}

/** A datagram over the path that gossip takes. */
export function sendOver(gossip: Gossip, from: string, to: string, bytes: Uint8Array): void {
  const member = gossip.members.get(to)
  if (member === undefined) return
  gossip.messages++
  const path = gossip.members.get(from)?.path()
  after(gossip.clock, gossip.random.between(0.1, 1), () => {
    if (path !== undefined && member.path() === path) member.onMessage(from, bytes, false)
  })
}
