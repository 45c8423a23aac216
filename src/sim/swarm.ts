/** Random histories: what a run consists of, and what is done to it, drawn from one seed. */
import type { Millis } from '../net/model.ts'
import { provisionalMs } from '../ownership/limits.ts'
import type { Finding } from './record.ts'
import { lossOverlapsOf } from './checks.ts'
import type { Cluster, CreateBrain } from './cluster.ts'
import {
  appear, crash, cutGossip, deafen, disappear, drain, exclude, freezeNode, kill, loseCarrier,
  loseUplink, move, muffle, pauseNode, setQuality, split, starve, stepWallClock, stopApi,
  strayAnnouncement, type Undo,
} from './faults.ts'
import { drawEnvironment, type Setting } from './environment.ts'
import { type Options, plainOptions } from './plan.ts'
import { createRandom, type Random } from './random.ts'
import { drawRollout } from './rollout.ts'
import { goodQuality, type Quality } from './segment.ts'
import {
  checkRun, type Dark, darksOf, historyOf, pass, schedule, settle, startSimulation,
} from './simulation.ts'

export interface Outcome {
  readonly seed: number
  readonly options: Options
  readonly setting: Setting
  readonly findings: readonly Finding[]
  readonly darks: readonly Dark[]
  /** Where 30 % of the frames are lost, each by what nothing else excuses. */
  readonly lossOverlapsMs: readonly Millis[]
  readonly history: readonly string[]
  readonly events: number
  readonly virtualMs: Millis
}

export interface SwarmLimits {
  /** Sizes of clusters to draw from, both ends included. */
  readonly nodes: { readonly from: number; readonly to: number }
}

/** Bands of sizes, and how many of 100 runs are not beyond each: a run of 100 nodes costs as 60 of 6. */
export const sizeBands = [{ to: 10, share: 88 }, { to: 30, share: 98 }, { to: 100, share: 100 }] as const

/** Placements of a start may move for so long, and nothing is done meanwhile. */
const calmMs: Millis = provisionalMs
/** An address that a foreign host has had is asked for after 10 s, then after 20 s. */
const settleMs = { foreign: 40_000, others: 14_000 }

/** Clusters up to this size may have production membership. */
const ringNodes = 10

/** Most runs have few nodes: they find most, and cost least. */
function drawNodes(random: Random, { from, to }: SwarmLimits['nodes']): number {
  const [first] = sizeBands
  if (to <= first.to) return drawSize(random, from, to)
  const roll = 100 * random.next()
  const at = sizeBands.findIndex(({ share }) => roll < share)
  const low = Math.max(from, (sizeBands[at - 1]?.to ?? 0) + 1)
  return low > to ? to : drawSize(random, low, Math.min(to, Math.max(low, sizeBands[at]?.to ?? to)))
}

function drawSize(random: Random, from: number, to: number): number {
  const span = Math.log(to + 1) - Math.log(from)
  return Math.min(to, Math.floor(from * Math.exp(random.next() ** 2 * span)))
}

function drawQuality(random: Random): Quality {
  const loss = random.chance(0.65) ? 0 : random.pick([0.01, 0.05, 0.1, 0.3])
  const jitterMs = random.pick([0.05, 0.05, 0.5, 3])
  return { loss, duplicate: random.pick([0, 0, 0.01]), delayMs: 0.05, jitterMs }
}

export function drawOptions(seed: number, limits: SwarmLimits): Options {
  const random = createRandom(seed ^ 0x51ed270b)
  const nodes = drawNodes(random, limits.nodes)
  return {
    ...plainOptions,
    seed,
    nodes,
    segments: random.chance(0.25) ? 2 : 1,
    units: 1 + random.below(8),
    isDual: random.chance(0.2),
    placement: random.chance(0.85) ? 'sticky' : 'hash',
    quality: drawQuality(random),
    hasGateway: random.chance(0.85),
    clients: random.below(3),
    isGossipCarried: random.chance(0.5),
    askEveryMs: random.chance(0.15) ? 20 : 0,
    // At a start everybody exchanges states with everybody: beyond, that would cost more than all else.
    hasRings: random.chance(1 / 3) && nodes <= ringNodes,
  }
}

interface Hand {
  readonly cluster: Cluster
  readonly random: Random
  /** Faults that are to be undone. */
  readonly undo: Undo[]
  /** Next unit that may appear. */
  next: number
}

type Strike = (hand: Hand) => void

const someNode = ({ cluster, random }: Hand): string => random.pick([...cluster.machines.keys()])

/** Undoes the fault after a time that is drawn, and in any case at the end. */
function lasting(hand: Hand, undo: Undo, fromMs: Millis, toMs: Millis): void {
  hand.undo.push(undo)
  schedule(hand.cluster, hand.random.between(fromMs, toMs), undo)
}

/** Some nodes, but less than half of them. */
function minority({ cluster, random }: Hand): readonly string[] {
  const names = random.shuffle([...cluster.machines.keys()])
  return names.slice(0, 1 + random.below(Math.max(1, Math.floor(names.length / 2))))
}

function isRunning({ cluster }: Hand, name: string): boolean {
  return cluster.machines.get(name)?.state === 'running'
}

/** One node that runs. */
function onRunning(strike: (hand: Hand, name: string) => void): Strike {
  return (hand) => {
    const name = someNode(hand)
    if (isRunning(hand, name)) strike(hand, name)
  }
}

const strikes: readonly Strike[] = [
  onRunning((hand, name) => lasting(hand, crash(hand.cluster, name), 400, 9_000)),
  onRunning((hand, name) => lasting(hand, crash(hand.cluster, name), 400, 9_000)),
  onRunning((hand, name) => lasting(hand, kill(hand.cluster, name), 100, 9_000)),
  onRunning((hand, name) => lasting(hand, freezeNode(hand.cluster, name), 20, 330)),
  onRunning((hand, name) => lasting(hand, freezeNode(hand.cluster, name), 300, 9_000)),
  onRunning((hand, name) => lasting(hand, pauseNode(hand.cluster, name), 50, 6_000)),
  onRunning((hand, name) => lasting(hand, starve(hand.cluster, name, 5, 100), 1_000, 5_000)),
  onRunning((hand, name) => lasting(hand, drain(hand.cluster, name, 2_000), 3_000, 6_000)),
  onRunning((hand, name) => lasting(hand, exclude(hand.cluster, name), 2_000, 6_000)),
  (hand) => lasting(hand, split(hand.cluster, someSegment(hand), minority(hand)), 200, 9_000),
  (hand) => lasting(hand, loseUplink(hand.cluster, someSegment(hand), someNode(hand)), 200, 9_000),
  (hand) => lasting(hand, deafen(hand.cluster, someSegment(hand), someNode(hand)), 200, 9_000),
  (hand) => lasting(hand, muffle(hand.cluster, someSegment(hand), someNode(hand)), 200, 9_000),
  onRunning((hand, name) =>
    lasting(hand, loseCarrier(hand.cluster, someSegment(hand), name), 200, 9_000)),
  (hand) => lasting(hand, cutGossip(hand.cluster, minority(hand)), 1_000, 9_000),
  (hand) => lasting(hand, setQuality(hand.cluster, someSegment(hand), {
    ...goodQuality, loss: hand.random.pick([0.05, 0.1, 0.3]),
  }), 1_000, 9_000),
  (hand) => {
    const host = hand.cluster.clients[0]
    const unit = [...hand.cluster.api.units.keys()][0]
    // Such a fabric would go on answering in that host's name: docs/decisions.md.
    if (hand.cluster.options.isSuppressing) return
    if (host !== undefined && unit !== undefined) strayAnnouncement(hand.cluster, host, unit)
  },
  (hand) => lasting(hand, stopApi(hand.cluster), 1_000, 6_000),
  (hand) => {
    const count = 1 + hand.random.below(4)
    appear(hand.cluster, hand.next, count)
    hand.next += count
  },
  (hand) => {
    const units = [...hand.cluster.api.units.keys()]
    if (units.length > 1) disappear(hand.cluster, hand.random.pick(units))
  },
  onRunning((hand, name) => move(hand.cluster, hand.random.pick([...hand.cluster.api.units.keys()]), name)),
  (hand) => stepWallClock(hand.cluster, someNode(hand), hand.random.pick([-3e5, 3e5])),
]

function someSegment({ cluster, random }: Hand): Cluster['segments'][number] {
  return random.pick(cluster.segments)
}

/** One run, from its seed alone. */
export function runSeed(
  seed: number, limits: SwarmLimits, createBrain: CreateBrain, isTold = false,
): Outcome {
  const environment = drawEnvironment(drawOptions(seed, limits))
  const { options, setting } = environment
  const rollout = setting === 'fabric' ? undefined : drawRollout(options)
  const cluster = startSimulation(options, {
    createBrain, isTold, spreadMs: 600, timing: { reachableMs: 6_000, retransMs: 1_000, unicastAsks: 3 },
    ...rollout === undefined ? {} : { endpointsOf: rollout.endpointsOf },
  })
  const random = cluster.random.fork()
  const hand: Hand = { cluster, random, undo: [], next: options.units }
  pass(cluster, 6_000)
  if (setting === 'calm') pass(cluster, calmMs)
  hand.undo.push(environment.begin(cluster))
  if (setting !== 'calm') {
    if (rollout !== undefined) hand.undo.push(rollout.begin(cluster))
    strikeSome(hand)
  }
  pass(cluster, random.between(0, 3_000))
  for (const undo of hand.undo) undo()
  const rest = settle(cluster, setting === 'foreign' ? settleMs.foreign : settleMs.others, 2_000)
  const findings = [...checkRun(cluster), ...rest]
  return {
    seed, options, setting, findings, darks: darksOf(cluster),
    lossOverlapsMs: lossOverlapsOf(cluster),
    history: isTold ? historyOf(cluster, findings) : [],
    events: cluster.clock.events, virtualMs: cluster.clock.nowMs,
  }
}

function strikeSome(hand: Hand): void {
  const { cluster, random } = hand
  const count = 1 + random.below(4)
  for (let i = 0; i < count; i++) {
    random.pick(strikes)(hand)
    pass(cluster, random.pick([random.between(0, 400), random.between(400, 6_000)]))
  }
}
