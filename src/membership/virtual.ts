/** Rings on a virtual clock and network, for scenarios: one seed replays a run. */
import { createSchedule, insertAt, nextDueMs, takeDue } from '../l2/schedule.ts'
import type { Millis } from '../net/model.ts'
import { membersOf, step } from './engine.ts'
import type { Drop, Effect, Endpoint, Event, Member } from './model.ts'
import { nextRandom, type Random } from './random.ts'
import { createRing, type Ring } from './ring.ts'
import type { Settings } from './settings.ts'
import { type Bytes, fromByteString, toByteString } from './wire/bytes.ts'

/** One ring and what it has told. */
export interface Station {
  readonly name: string
  readonly ring: Ring
  readonly endpoint: Endpoint
  /** `joined b`, `message b hello`, in order. */
  readonly told: string[]
  readonly drops: Drop[]
  isAlive: boolean
  wakeMs: Millis
  lastAccepted: number
}

export interface NetworkOptions {
  readonly settings: Settings
  readonly seed: number
}

/** Mutable; owned by one test. */
export interface Network {
  readonly options: NetworkOptions
  readonly random: Random
  readonly stations: Map<string, Station>
  readonly due: ReturnType<typeof createSchedule<() => void>>
  /** Streams by end: `address|number`, with the other end. */
  readonly ends: Map<string, { readonly station: Station; readonly stream: number }>
  /** Datagrams and streams from the first to the second go nowhere: `a>b`. */
  readonly cuts: Set<string>
  /** Share of datagrams that are lost. */
  loss: number
  packets: number
  nowMs: Millis
}

/** One way, with some jitter. */
const delayMs = 0.5

export function createNetwork(options: NetworkOptions): Network {
  return {
    options, random: { seed: options.seed }, stations: new Map(), due: createSchedule(),
    ends: new Map(), cuts: new Set(), loss: 0, packets: 0, nowMs: 0,
  }
}

/** Starts a ring called `name` at 192.0.2.`host`. */
export function addStation(network: Network, name: string, host: number, incarnation = 1): Station {
  const endpoint = { address: Uint8Array.of(192, 0, 2, host), port: 7946 }
  const station: Station = {
    name, endpoint, told: [], drops: [], isAlive: true, lastAccepted: -1, wakeMs: Number.POSITIVE_INFINITY,
    ring: createRing({
      settings: network.options.settings, name, endpoint, meta: fromByteString(`meta of ${name}`),
      incarnation, sealBytes: 29, random: { seed: Math.floor(nextRandom(network.random) * 2 ** 32) },
    }),
  }
  network.stations.set(`${name} ${host}`, station)
  give(network, station, { kind: 'start' })
  return station
}

/** Hands an event to a station now, and performs what follows. */
export function give(network: Network, station: Station, event: Event): void {
  if (!station.isAlive) return
  for (const effect of step(station.ring, event, network.nowMs)) perform(network, station, effect)
}

/** Runs the clock for `ms`, or until `isDone`; whether it was done. */
export function runFor(network: Network, ms: Millis, isDone: () => boolean = () => false): boolean {
  const endMs = network.nowMs + ms
  for (;;) {
    if (isDone()) return true
    const atMs = nextDueMs(network.due)
    if (atMs === undefined || atMs > endMs) break
    network.nowMs = Math.max(network.nowMs, atMs)
    takeDue(network.due, network.nowMs)?.()
  }
  network.nowMs = endMs
  return isDone()
}

/** `name state` of every node that a station knows. */
export function viewOf({ ring }: Station): readonly string[] {
  return membersOf(ring).map(({ name, state }: Member) => `${name} ${state}`)
}

function later(network: Network, act: () => void, ms = delayMs * (1 + nextRandom(network.random))): void {
  insertAt(network.due, network.nowMs + ms, act)
}

function stationAt({ stations }: Network, endpoint: Endpoint): Station | undefined {
  return [...stations.values()].find((station) =>
    station.isAlive && station.endpoint.address[3] === endpoint.address[3]
  )
}

function isCut({ cuts }: Network, from: Station, to: Station): boolean {
  return cuts.has(`${from.name}>${to.name}`)
}

function perform(network: Network, station: Station, effect: Effect): void {
  switch (effect.kind) {
    case 'sendPacket': return sendPacket(network, station, effect.to, effect.packet)
    case 'openStream': return openStream(network, station, effect.stream, effect.to)
    case 'sendStream': {
      const other = network.ends.get(keyOf(station, effect.stream))
      if (other === undefined || isCut(network, station, other.station)) return
      later(network, () => give(network, other.station,
        { kind: 'streamBytes', stream: other.stream, bytes: effect.content }), delayMs)
      return
    }
    case 'closeStream': {
      const other = network.ends.get(keyOf(station, effect.stream))
      network.ends.delete(keyOf(station, effect.stream))
      if (other === undefined) return
      later(network, () => give(network, other.station, { kind: 'streamClosed', stream: other.stream }),
        delayMs)
      return
    }
    case 'member': return void station.told.push(`${effect.change} ${effect.member.name}`)
    case 'message': return void station.told.push(`message ${toByteString(effect.payload)}`)
    case 'remoteState': return void station.told.push(`state ${toByteString(effect.userState)}`)
    case 'leftRing': return void station.told.push(`leftRing ${effect.isComplete}`)
    case 'conflict': return void station.told.push(
      `conflict ${effect.name} ${effect.known.address[3]} ${effect.claimed.address[3]}`)
    case 'drop': return void station.drops.push(effect.reason)
    case 'wake': return arm(network, station, effect.atMs)
  }
}

function arm(network: Network, station: Station, atMs: Millis): void {
  if (atMs === station.wakeMs) return
  station.wakeMs = atMs
  insertAt(network.due, Math.max(network.nowMs, atMs), () => {
    if (station.wakeMs !== atMs) return
    station.wakeMs = Number.POSITIVE_INFINITY
    give(network, station, { kind: 'wake' })
  })
}

function sendPacket(network: Network, station: Station, to: Endpoint, packet: Bytes): void {
  network.packets++
  const isLost = nextRandom(network.random) < network.loss
  const target = stationAt(network, to)
  if (isLost || target === undefined || isCut(network, station, target)) return
  later(network, () => give(network, target, { kind: 'packet', packet, from: station.endpoint }))
}

function openStream(network: Network, station: Station, stream: number, to: Endpoint): void {
  const target = stationAt(network, to)
  if (target === undefined) {
    return later(network, () => give(network, station, { kind: 'streamFailed', stream }))
  }
  if (isCut(network, station, target)) return
  target.lastAccepted += 2
  const accepted = target.lastAccepted
  network.ends.set(keyOf(station, stream), { station: target, stream: accepted })
  network.ends.set(keyOf(target, accepted), { station, stream })
  later(network, () => {
    give(network, target, { kind: 'streamAccepted', stream: accepted, from: station.endpoint })
    give(network, station, { kind: 'streamOpened', stream })
  }, delayMs)
}

function keyOf({ endpoint }: Station, stream: number): string {
  return `${endpoint.address[3]}|${stream}`
}
