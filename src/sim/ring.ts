/** Rings of production membership on virtual time: in place of the model in src/sim/gossip.ts. */
import { membersOf, step } from '../membership/engine.ts'
import type { Effect, Endpoint, Event } from '../membership/model.ts'
import { createRing, type Ring } from '../membership/ring.ts'
import { lanSettings } from '../membership/settings.ts'
import { decodeEnvelope, encodeEnvelope } from '../ownership/envelope.ts'
import { decodeMeta, encodeMeta } from '../ownership/meta.ts'
import type { Leg } from '../ownership/model.ts'
import type { Millis } from '../net/model.ts'
import { after, type Clock } from './clock.ts'
import type { Random } from './random.ts'

/** A process that takes part: what reaches it, and what it hears. */
export interface RingMember {
  readonly name: string
  /** Nodes with the same path reach each other; undefined reaches nobody. */
  path(): string | undefined
  /** Its process stands still: what is sent to it waits. */
  isStill(): boolean
  /** Its machine's monotonic clock, which a pause stops. */
  now(): Millis
  /** Its machine's wall clock: production begins with its seconds as incarnation. */
  wall(): Millis
  /** Of datagrams on the way that membership takes. */
  loss(): number
  /** What exchanges of states carry from it. */
  claims(): Uint8Array
  readonly onView: () => void
  readonly onMessage: (from: string, bytes: Uint8Array, isGossip: boolean) => void
}

interface Station {
  readonly member: RingMember
  readonly ring: Ring
  readonly endpoint: Endpoint
  /** What came while it stood still; streams as well as datagrams. */
  readonly waiting: Event[]
  wakeMs: Millis
  streams: number
}

/** All rings of a run, and the network between them. */
export interface Rings {
  readonly clock: Clock
  readonly random: Random
  readonly stations: Map<string, Station>
  /** Streams by `name|number`, with their other end. */
  readonly ends: Map<string, { readonly station: Station; readonly stream: number }>
  gossiped: number
}

/** One way, over whatever carries membership. */
const delayMs = { from: 0.1, to: 1 }
const port = 7946
/** Encryption is the shell's: this is what it adds. */
const sealBytes = 29
const leaveMs = 1_000

export function createRings(clock: Clock, random: Random): Rings {
  return { clock, random, stations: new Map(), ends: new Map(), gossiped: 0 }
}

/** Starts a ring for a process, which joins all of `names`. */
export function startRing(
  rings: Rings, member: RingMember, legs: readonly Leg[], names: readonly string[],
): void {
  const { name } = member
  const ring = createRing({
    settings: lanSettings, name, endpoint: endpointOf(name), meta: copy(encodeMeta(legs)),
    incarnation: Math.floor(member.wall() / 1_000), sealBytes, random: { seed: rings.random.below(2 ** 32) },
  })
  const station: Station = {
    member, ring, endpoint: endpointOf(name), waiting: [], wakeMs: Infinity, streams: -1,
  }
  rings.stations.set(name, station)
  give(rings, station, { kind: 'start' })
  give(rings, station, { kind: 'peers', peers: names.filter((other) => other !== name).map(endpointOf) })
  give(rings, station, { kind: 'userState', userState: () => copy(station.member.claims()) })
}

/** The process ends; with a farewell, if it can say one. */
export function stopRing(rings: Rings, name: string, isGraceful: boolean): void {
  const station = rings.stations.get(name)
  if (station !== undefined && isGraceful) give(rings, station, { kind: 'leave', timeoutMs: leaveMs })
  rings.stations.delete(name)
}

export function setRingLegs(rings: Rings, name: string, legs: readonly Leg[]): void {
  const station = rings.stations.get(name)
  if (station !== undefined) give(rings, station, { kind: 'meta', meta: copy(encodeMeta(legs)) })
}

/** To a member by datagram, or to all by gossip where `to` is undefined. */
export function sendByRing(rings: Rings, from: string, to: string | undefined, bytes: Uint8Array): void {
  const station = rings.stations.get(from)
  if (station === undefined) return
  const payload = copy(encodeEnvelope({ from, isGossip: to === undefined, bytes }))
  give(rings, station, to === undefined
    ? { kind: 'broadcast', key: `arpeggio ${rings.gossiped++}`, payload }
    : { kind: 'send', to, payload, isReliable: false })
}

/** Whoever a node knows, itself left out. */
export function ringViewOf(
  rings: Rings, name: string,
): readonly { readonly name: string; readonly isAlive: boolean; readonly legs: readonly Leg[] }[] {
  const station = rings.stations.get(name)
  return station === undefined ? [] : membersOf(station.ring).filter(({ isSelf }) => !isSelf)
    .map(({ name: other, state, meta }) =>
      ({ name: other, isAlive: state === 'alive' || state === 'suspect', legs: decodeMeta(meta) ?? [] }))
}

/** Processes that went on: sockets are read before timers, as the shell does. */
export function thawRings(rings: Rings): void {
  for (const station of rings.stations.values()) {
    if (station.member.isStill()) continue
    for (const event of station.waiting.splice(0)) give(rings, station, event)
    give(rings, station, { kind: 'wake' })
  }
}

function give(rings: Rings, station: Station, event: Event): void {
  const { member, ring } = station
  if (rings.stations.get(member.name) !== station) return
  if (member.isStill()) {
    if (event.kind !== 'wake') station.waiting.push(event)
    return
  }
  const effects = step(ring, event, member.now())
  for (const effect of effects) perform(rings, station, effect)
}

function perform(rings: Rings, station: Station, effect: Effect): void {
  const { member } = station
  switch (effect.kind) {
    case 'sendPacket': {
      const target = stationAt(rings, effect.to)
      if (target === undefined || rings.random.chance(member.loss())) return
      return carry(rings, station, target,
        { kind: 'packet', packet: effect.packet, from: station.endpoint })
    }
    case 'openStream': return openStream(rings, station, effect.stream, effect.to)
    case 'sendStream':
    case 'closeStream': {
      const key = `${member.name}|${effect.stream}`
      const other = rings.ends.get(key)
      if (effect.kind === 'closeStream') rings.ends.delete(key)
      if (other === undefined) return
      const { stream } = other
      return carry(rings, station, other.station, effect.kind === 'closeStream'
        ? { kind: 'streamClosed', stream }
        : { kind: 'streamBytes', stream, bytes: effect.content })
    }
    case 'member': return member.onView()
    case 'message': {
      const opened = decodeEnvelope(effect.payload)
      if (opened !== undefined && opened.from !== member.name) {
        member.onMessage(opened.from, opened.bytes, opened.isGossip)
      }
      return
    }
    case 'remoteState': return effect.userState.length > 0
      ? member.onMessage('', effect.userState, true) : undefined
    case 'wake': return arm(rings, station, effect.atMs)
    case 'leftRing':
    case 'drop':
  }
}

function openStream(rings: Rings, station: Station, stream: number, to: Endpoint): void {
  const target = stationAt(rings, to)
  if (target === undefined) return carry(rings, station, station, { kind: 'streamFailed', stream })
  target.streams += 2
  const accepted = target.streams
  rings.ends.set(`${station.member.name}|${stream}`, { station: target, stream: accepted })
  rings.ends.set(`${target.member.name}|${accepted}`, { station, stream })
  carry(rings, station, target, { kind: 'streamAccepted', stream: accepted, from: station.endpoint })
  // Open once the other's kernel has said so: not before a way to it and back.
  carry(rings, target, station, { kind: 'streamOpened', stream })
}

/** Lets the event happen there after a while, if a way leads from one to the other then. */
function carry(rings: Rings, from: Station, to: Station, event: Event): void {
  const path = from.member.path()
  if (path === undefined || to.member.path() !== path) return
  const isStream = event.kind !== 'packet'
  const ms = isStream ? delayMs.to : rings.random.between(delayMs.from, delayMs.to)
  after(rings.clock, ms, () => {
    if (to.member.path() === path) give(rings, to, event)
  })
}

function arm(rings: Rings, station: Station, atMs: Millis): void {
  if (atMs === station.wakeMs) return
  station.wakeMs = atMs
  after(rings.clock, Math.max(0, atMs - station.member.now()), () => {
    if (station.wakeMs !== atMs || station.member.isStill()) return
    station.wakeMs = Infinity
    give(rings, station, { kind: 'wake' })
  })
}

function endpointOf(name: string): Endpoint {
  return { address: Uint8Array.of(192, 0, 2, 10 + Number(name.slice(1))), port }
}

function stationAt({ stations }: Rings, { address }: Endpoint): Station | undefined {
  return stations.get(`n${(address[3] ?? 0) - 10}`)
}

function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytes)
}
