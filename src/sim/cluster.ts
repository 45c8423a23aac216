/** Nodes, segments, hosts, gossip and an API server's view, assembled from production parts. */
import { answerKey } from '../l2/responder.ts'
import type { Millis } from '../net/model.ts'
import { fenceMs } from '../ownership/limits.ts'
import type { Leg, Note, Peer, Wish, World } from '../ownership/model.ts'
import { after, at, type Clock, createClock, wallTime } from './clock.ts'
import { hear } from './frames.ts'
import {
  createGossip, type Gossip, join, leave, publish, refresh, remove, sendOver, spreadMessage, viewOf,
} from './gossip.ts'
import {
  type Host, type NeighbourTiming, plugHost, startAsker, startClient, suppressAsks,
} from './hosts.ts'
import {
  addLeg, type Brain, createMachine, type Machine, ownTime, receiveMessage, start,
  type Surroundings, touchWorld, trueTime,
} from './machine.ts'
import {
  type Endpoints, isStranger, nodeName, nomineesOf, type Options, planHost, planLeg, planUnit, type Unit,
} from './plan.ts'
import { createRandom, type Random } from './random.ts'
import {
  createRecord, cut, extend, noteServed, placeOf, type Record, tell, wantPlace, wouldAnswer,
} from './record.ts'
import {
  createRings, type Rings, ringViewOf, sendByRing, setRingLegs, startRing, stopRing, thawRings,
} from './ring.ts'
import { type Kept, samePeers, sameWish } from './same.ts'
import {
  canHear, canSend, type Captured, createSegment, type Segment, sendDatagram,
} from './segment.ts'
import { answeredUntil } from './slice.ts'
import { createStranger } from './stranger.ts'

/** What the API server says, as far as ownership depends on it. */
export interface Api {
  readonly units: Map<string, Unit>
  /** Nodes with a speaker Pod. */
  readonly pods: Set<string>
  /** Nodes with the exclude label. */
  readonly excluded: Set<string>
  readonly draining: Set<string>
  /** Their processes are about to end. */
  readonly leaving: Set<string>
  readonly moves: Map<string, string>
  readonly hints: Map<string, string>
  isDown: boolean
}

export interface Cluster {
  readonly options: Options
  readonly clock: Clock
  readonly random: Random
  readonly record: Record
  readonly segments: readonly Segment[]
  readonly machines: Map<string, Machine>
  readonly gossip: Gossip
  /** Production membership, in place of the model in `gossip`. */
  readonly rings: Rings | undefined
  readonly gateways: readonly Host[]
  readonly clients: readonly Host[]
  readonly api: Api
  /** What each node has seen of the API: the units, in the order in which they came. */
  readonly seen: Map<string, Map<string, Unit>>
  /** When the last change of the API arrives at each node. */
  readonly lastNewsMs: Map<string, Millis>
  readonly kept: Kept
  /** Sides of the gossip network, by node; same as 0 if absent. */
  readonly gossipSides: Map<string, number>
  /** Legs that each version of a node's metadata names. */
  readonly metadata: Map<string, Map<number, readonly Leg[]>>
  readonly unitsByAddress: Map<bigint, string>
  readonly macs: Map<string, string>
}

export type CreateBrain = (machine: Machine) => Brain

/** How long news from the API server takes to a node. */
const apiMs = { from: 1, to: 50 }

/** Nothing runs yet: `boot` starts it. */
export function createCluster(options: Options, createBrain: CreateBrain, isTold: boolean): Cluster {
  const clock = createClock()
  const random = createRandom(options.seed)
  const record = createRecord(isTold)
  const capture = (captured: Captured): void => observe(cluster, captured)
  const segments = Array.from({ length: options.segments }, (_, i) =>
    createSegment(`lan${i}`, clock, random.fork(), capture))
  const host = (number: number, name: string) => (segment: Segment, i: number): Host => {
    const { mac, addresses } = planHost(number, i)
    return plugHost(segment, `${name}${i}`, mac, addresses)
  }
  for (const segment of segments) segment.quality = options.quality
  const cluster: Cluster = {
    options, clock, random, record, segments, machines: new Map(),
    gossip: createGossip(clock, random.fork()),
    rings: options.hasRings ? createRings(clock, createRandom(options.seed ^ 0x2f6e2b1)) : undefined,
    gateways: options.hasGateway ? segments.map(host(1, 'gateway')) : [],
    clients: Array.from({ length: options.clients }, (_, n) =>
      segments.map(host(200 + n, `client${n}-`))).flat(),
    api: {
      units: new Map(), pods: new Set(), excluded: new Set(), draining: new Set(), leaving: new Set(),
      moves: new Map(), hints: new Map(), isDown: false,
    },
    seen: new Map(), lastNewsMs: new Map(), kept: { wishes: new Map(), peers: new Map() },
    gossipSides: new Map(), metadata: new Map(), unitsByAddress: new Map(), macs: new Map(),
  }
  const around = surroundings(cluster, createBrain)
  for (let i = 0; i < options.nodes; i++) addMachine(cluster, around, i)
  if (options.isSuppressing) {
    const isUnit = (address: Unit['addresses'][number]['address']): boolean =>
      cluster.unitsByAddress.has(answerKey(address))
    for (const segment of segments) suppressAsks(segment, isUnit)
  }
  return cluster
}

function addMachine(cluster: Cluster, around: Surroundings, index: number): void {
  const name = nodeName(index)
  const machine = createMachine(name, cluster.random.fork(), around)
  cluster.machines.set(name, machine)
  cluster.seen.set(name, new Map())
  cluster.api.pods.add(name)
  cluster.segments.forEach((segment, i) => {
    const leg = planLeg(index, i)
    addLeg(machine, segment, leg)
    cluster.macs.set(leg.mac, name)
  })
}

function surroundings(cluster: Cluster, createBrain: CreateBrain): Surroundings {
  const { clock, record, gossip } = cluster
  return {
    clock, costs: cluster.options.costs,
    createBrain: (machine) =>
      isStranger(cluster.options, machine.name) ? createStranger() : createBrain(machine),
    worldOf: (machine) => worldOf(cluster, machine),
    tell: (machine, { to, ifindex, bytes }) => {
      if (ifindex === undefined) {
        if (cluster.rings === undefined) sendOver(gossip, machine.name, to, bytes)
        else sendByRing(cluster.rings, machine.name, to, bytes)
        return
      }
      const from = machine.legs.find(({ leg }) => leg.ifindex === ifindex)
      const target = cluster.machines.get(to)
      const leg = target?.legs.find(({ segment }) => segment === from?.segment)
      if (from === undefined || target === undefined || leg === undefined) return
      sendDatagram(from.segment, from.port, leg.port, () =>
        receiveMessage(target, machine.name, bytes, false))
    },
    gossip: (machine, bytes) => cluster.rings === undefined
      ? spreadMessage(gossip, machine.name, bytes)
      : sendByRing(cluster.rings, machine.name, undefined, bytes),
    onRights: (machine) => observeRights(cluster, machine),
    onAbility: (machine) => observeRights(cluster, machine),
    onNote: (machine, note) => {
      record.notes.push({ atMs: clock.nowMs, node: machine.name, note })
      if (record.history !== undefined) {
        tell(record, clock.nowMs, machine.name, describe(note))
      }
    },
  }
}

function describe(note: Note): string {
  const { kind, ...rest } = note
  const facts = Object.entries(rest).filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${value}`)
  return [kind, ...facts].join(' ')
}

/** Starts a node's machine and process, and lets it join. */
export function boot(cluster: Cluster, name: string): void {
  const machine = machineOf(cluster, name)
  tell(cluster.record, cluster.clock.nowMs, name, 'starts')
  cluster.api.pods.add(name)
  cluster.seen.set(name, new Map(cluster.api.units))
  start(machine)
  const { rings } = cluster
  const member = {
    name,
    path: () => pathOf(cluster, machine),
    isStill: () => machine.state !== 'running',
    now: () => ownTime(machine),
    wall: () => wallTime(cluster.clock, machine.wallOffsetMs),
    loss: () => cluster.options.isGossipCarried ? cluster.segments[0]?.quality.loss ?? 0 : 0,
    claims: () => machine.brain?.claims?.(ownTime(machine)) ?? new Uint8Array(),
    onView: () => touchWorld(machine),
    onMessage: (from: string, bytes: Uint8Array, isGossip: boolean) =>
      receiveMessage(machine, from, bytes, isGossip),
  }
  if (rings !== undefined) return startRing(rings, member, legsOf(machine), [...cluster.machines.keys()])
  // Also where the process before it has not been missed: what it tells of its legs goes with its joining.
  cluster.gossip.members.delete(name)
  publishLegs(cluster, machine)
  join(cluster.gossip, member)
}

/** The node is gone from gossip without a word. */
export function forget(cluster: Cluster, name: string): void {
  if (cluster.rings === undefined) remove(cluster.gossip, name)
  else stopRing(cluster.rings, name, false)
}

/** It says goodbye, and is gone. */
export function farewell(cluster: Cluster, name: string): void {
  if (cluster.rings === undefined) leave(cluster.gossip, name)
  else stopRing(cluster.rings, name, true)
}

function legsOf({ legs }: Machine): readonly Leg[] {
  return legs.filter(({ port }) => port.hasCarrier).map(({ leg }) => leg)
}

function pathOf(cluster: Cluster, machine: Machine): string | undefined {
  const side = cluster.gossipSides.get(machine.name) ?? 0
  if (!cluster.options.isGossipCarried) return `${side}`
  const port = machine.legs[0]?.port
  if (port === undefined || !canSend(port) || !canHear(port)) return undefined
  return `${side} ${port.side}`
}

/** After each change of ports, sides or states. */
export function rewire(cluster: Cluster): void {
  if (cluster.rings === undefined) refresh(cluster.gossip)
  else thawRings(cluster.rings)
  for (const machine of cluster.machines.values()) observeRights(cluster, machine)
}

/** The node's metadata names the legs that have carrier now. */
export function publishLegs(cluster: Cluster, machine: Machine): void {
  const legs = legsOf(machine)
  if (cluster.rings !== undefined) return setRingLegs(cluster.rings, machine.name, legs)
  const versions = cluster.metadata.get(machine.name) ?? new Map<number, readonly Leg[]>()
  cluster.metadata.set(machine.name, versions)
  versions.set((cluster.gossip.versions.get(machine.name) ?? 0) + 1, legs)
  if (cluster.gossip.members.has(machine.name)) publish(cluster.gossip, machine.name)
}

export function machineOf(cluster: Cluster, name: string): Machine {
  const machine = cluster.machines.get(name)
  if (machine === undefined) throw new RangeError(`Cannot find node "${name}"`)
  return machine
}

/** A Service appears: each node hears of it at its own time. */
export function addUnit(cluster: Cluster, index: number, endpoints?: Endpoints): void {
  const unit = planUnit(index, cluster.options.isDual, endpoints)
  noteServed(cluster.record, unit, cluster.clock.nowMs)
  cluster.api.units.set(unit.key, unit)
  for (const { address } of unit.addresses) {
    cluster.unitsByAddress.set(answerKey(address), unit.key)
  }
  for (const { name } of cluster.segments) {
    wantPlace(cluster.record, unit.key, name, cluster.clock.nowMs)
  }
  spreadApi(cluster, (seen) => void seen.set(unit.key, unit))
}

export function removeUnit(cluster: Cluster, key: string): void {
  cluster.api.units.delete(key)
  for (const { name } of cluster.segments) {
    const place = placeOf(cluster.record, key, name)
    if (place !== undefined) place.untilMs = cluster.clock.nowMs
  }
  spreadApi(cluster, (seen) => void seen.delete(key))
}

/** A change at the API server reaches each node after a while of its own. */
export function spreadApi(
  cluster: Cluster, apply: (seen: Map<string, Unit>) => void,
): void {
  for (const [name, machine] of cluster.machines) {
    const arrive = (): void => {
      if (cluster.api.isDown) {
        after(cluster.clock, 1_000, arrive)
        return
      }
      const seen = cluster.seen.get(name)
      if (seen !== undefined) apply(seen)
      touchWorld(machine)
    }
    // Nodes see changes at different times, but each of them in the order of the server.
    const atMs = cluster.clock.nowMs + cluster.random.between(apiMs.from, apiMs.to)
    const inOrderMs = Math.max(atMs, cluster.lastNewsMs.get(name) ?? 0)
    cluster.lastNewsMs.set(name, inOrderMs)
    at(cluster.clock, inOrderMs, arrive)
  }
}

const noMoves: World['moves'] = new Map()
const noLegs: readonly Leg[] = []

function worldOf(cluster: Cluster, machine: Machine): World {
  const { api, options } = cluster
  const peers = samePeers(cluster.kept, machine.name, peersOf(cluster, machine))
  const able = peers.filter(({ name, isAlive, isCapable, legs }) =>
    isAlive && (legs.length > 0 || !isCapable) && !api.excluded.has(name)).map(({ name }) => name)
  const wishes = [...cluster.seen.get(machine.name)?.values() ?? []].map((unit): Wish => {
    const { key, addresses } = unit
    const nominees = nomineesOf(unit, able)
    return sameWish(cluster.kept, { key, addresses, nominees, hint: api.hints.get(key) })
  })
  return {
    self: machine.name, placement: options.placement, wishes, peers, expected: [...api.pods],
    isDraining: api.draining.has(machine.name), isLeaving: api.leaving.has(machine.name),
    moves: api.moves.size === 0 ? noMoves : new Map(api.moves),
    gateways: new Map(cluster.gateways.map(({ addresses }, i) => [2 + i, addresses])),
  }
}

function peersOf(cluster: Cluster, machine: Machine): readonly Peer[] {
  const { options, gossip } = cluster
  const isCapable = (name: string): boolean => !isStranger(options, name)
  const self: Peer = {
    name: machine.name, isAlive: true, isCapable: isCapable(machine.name), isRestarted: false,
    legs: legsOf(machine),
  }
  const known = cluster.rings === undefined
    ? [...viewOf(gossip, machine.name)].filter(([, { version }]) => version > 0)
      .map(([name, { isAlive, version }]) =>
        ({ name, isAlive, legs: cluster.metadata.get(name)?.get(version) ?? [] }))
    : ringViewOf(cluster.rings, machine.name)
  // Metadata of a MetalLB speaker is empty.
  const others = known.map((view): Peer => ({
    ...view, legs: isCapable(view.name) ? view.legs : noLegs,
    isCapable: isCapable(view.name), isRestarted: false,
    isDraining: cluster.api.draining.has(view.name),
  }))
  return [self, ...others].toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** Clients begin to use the addresses, and the measuring host to ask. */
export function startTraffic(cluster: Cluster, timing: NeighbourTiming, everyMs: Millis): void {
  const addresses = [...cluster.api.units.values()].flatMap((unit) =>
    unit.addresses.map(({ address }) => address)).slice(0, 8)
  for (const client of cluster.clients) startClient(client, addresses, everyMs, timing)
  const [first] = addresses
  const { askEveryMs } = cluster.options
  if (first === undefined || askEveryMs === 0) return
  for (const client of cluster.clients.slice(0, cluster.segments.length)) {
    startAsker(client, first, askEveryMs)
  }
}

/** Keeps the record of who would answer for what. */
function observeRights(cluster: Cluster, machine: Machine): void {
  const { record, clock } = cluster
  for (const { leg, port, segment } of machine.legs) {
    const canAnswer = machine.state === 'running' && canSend(port) && canHear(port)
    const kept = new Set<string>()
    for (const { unit, ifindexes, notAfterMs } of canAnswer ? machine.rights : []) {
      if (kept.has(unit) || !ifindexes.has(leg.ifindex)) continue
      kept.add(unit)
      const place = placeOf(record, unit, segment.name)
      if (place === undefined) continue
      const untilMs = notAfterMs === Infinity ? Infinity : trueTime(machine, notAfterMs)
      // It reads before it answers, but that is no excuse for a right that outlives the fence.
      if (machine.isCatchingUp && untilMs <= clock.nowMs + fenceMs) continue
      if (record.history !== undefined && !wouldAnswer(place, machine.name, clock.nowMs)) {
        tell(record, clock.nowMs, machine.name, `answers for ${unit} on ${segment.name}`)
      }
      extend(place, { node: machine.name, fromMs: clock.nowMs, toMs: untilMs, side: port.side })
    }
    for (const place of record.places.values()) {
      if (place.segment !== segment.name || kept.has(place.unit)) continue
      if (!place.open.has(machine.name)) continue
      if (cut(place, machine.name, answeredUntil(machine.quota, clock.nowMs))) {
        tell(record, clock.nowMs, machine.name, `is silent for ${place.unit} on ${segment.name}`)
      }
    }
  }
}

/** A voice of somebody who does not hear lasts for an instant. */
const voiceMs: Millis = 0.01

/** Voices on the bridge that no right covers. */
function observe(cluster: Cluster, { segment, from, frame }: Captured): void {
  const node = cluster.macs.get(from.mac)
  if (node === undefined) return
  const speech = hear(frame)
  if (speech?.kind !== 'voice') return
  const unit = cluster.unitsByAddress.get(answerKey(speech.voice.address))
  if (unit === undefined) return
  const place = placeOf(cluster.record, unit, segment.name)
  const { nowMs } = cluster.clock
  if (place === undefined || wouldAnswer(place, node, nowMs)) return
  const machine = machineOf(cluster, node)
  const hasRight = machine.rights.some((right) =>
    right.unit === unit && ownTime(machine) < right.notAfterMs)
  if (hasRight) {
    // It cannot be asked, since it does not hear; but it has spoken.
    place.tenures.push({ node, fromMs: nowMs, toMs: nowMs + voiceMs, side: from.side })
    return
  }
  cluster.record.strays.push({ unit, segment: segment.name, node, atMs: nowMs, side: from.side })
  tell(cluster.record, nowMs, node, `STRAY voice for ${unit} on ${segment.name}`)
}
