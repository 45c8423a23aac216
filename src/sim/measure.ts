/** Single faults on clusters that are otherwise well: how long it is dark, who overlaps, what moves. */
import type { Millis } from '../net/model.ts'
import type { Cluster } from './cluster.ts'
import {
  crash, deafen, drain, freezeNode, kill, loseCarrier, loseUplink, muffle, pauseNode, setQuality,
  split, type Undo,
} from './faults.ts'
import { type Options, plainOptions } from './plan.ts'
import { createProduction } from './production.ts'
import type { Place } from './record.ts'
import { lossy } from './segment.ts'
import { pass, startSimulation } from './simulation.ts'
import { gapsOf, movesOf, overlapsOf } from './tenure.ts'
import { answerersOf } from './checks.ts'

export interface Measured {
  readonly fault: string
  readonly nodes: number
  readonly darks: readonly Millis[]
  readonly overlapMs: Millis
  readonly moves: number
}

type Strike = (cluster: Cluster, owner: string) => Undo

interface Fault {
  readonly name: string
  readonly options?: Partial<Options>
  /** How long it lasts; Infinity = to the end. */
  readonly lastsMs: Millis
  readonly strike: Strike
}

function lan(cluster: Cluster): Cluster['segments'][number] {
  const [segment] = cluster.segments
  if (segment === undefined) throw new RangeError('Cannot find a segment')
  return segment
}

export const faults: readonly Fault[] = [
  { name: 'hard kill', lastsMs: Infinity, strike: crash },
  { name: 'process killed', lastsMs: Infinity, strike: kill },
  { name: 'hard kill, 10 % loss', options: { quality: lossy(0.1) }, lastsMs: Infinity, strike: crash },
  { name: 'freeze of 3 s', lastsMs: 3_000, strike: freezeNode },
  { name: 'freeze of 250 ms', lastsMs: 250, strike: freezeNode },
  { name: 'invisible pause of 3 s', lastsMs: 3_000, strike: pauseNode },
  { name: 'drain', lastsMs: 5_000, strike: (cluster, owner) => drain(cluster, owner, 2_000) },
  { name: 'carrier lost', lastsMs: 4_000, strike: (cluster, owner) =>
    loseCarrier(cluster, lan(cluster), owner) },
  { name: 'uplink lost', lastsMs: 4_000, strike: (cluster, owner) =>
    loseUplink(cluster, lan(cluster), owner) },
  { name: 'receive side dead', lastsMs: 4_000, strike: (cluster, owner) =>
    deafen(cluster, lan(cluster), owner) },
  { name: 'send side dead', lastsMs: 4_000, strike: (cluster, owner) =>
    muffle(cluster, lan(cluster), owner) },
  { name: 'segment split', lastsMs: 4_000, strike: (cluster, owner) =>
    split(cluster, lan(cluster), [owner]) },
  { name: '30 % loss, no fault', options: { quality: lossy(0.3) }, lastsMs: Infinity, strike: (cluster) =>
    setQuality(cluster, lan(cluster), lossy(0.3)) },
]

/** Each fault at each size, that many times, each time with a seed of its own. */
export function* measureFaults(trials: number, sizes = [3, 10, 20]): Generator<Measured> {
  for (const fault of faults) {
    for (const nodes of sizes) yield measure(fault, nodes, trials)
  }
}

function measure(fault: Fault, nodes: number, trials: number): Measured {
  const darks: Millis[] = []
  let overlapMs = 0
  let moves = 0
  for (let trial = 1; trial <= trials; trial++) {
    const { cluster, place, struckAtMs } = strikeOwner(fault, nodes, trial)
    const end = cluster.clock.nowMs
    const gaps = gapsOf(place, end).filter(({ fromMs }) => fromMs >= struckAtMs - 1)
    darks.push(Math.max(0, ...gaps.map(({ fromMs, toMs }) => toMs - fromMs)))
    const overlaps = overlapsOf(place).filter(({ toMs }) => toMs >= struckAtMs)
    overlapMs = Math.max(overlapMs, ...overlaps.map(({ fromMs, toMs }) => toMs - fromMs))
    moves += movesOf(place).filter(({ atMs }) => atMs >= struckAtMs).length
  }
  return { fault: fault.name, nodes, darks, overlapMs, moves }
}

/** A cluster of the production code that has started so long ago, and a little longer. */
export function startWell(options: Partial<Options>, warmUpMs: Millis): Cluster {
  const cluster = startSimulation({ ...plainOptions, ...options }, {
    createBrain: createProduction(), isTold: false, spreadMs: 500,
  })
  pass(cluster, warmUpMs + cluster.random.between(0, 400))
  return cluster
}

function strikeOwner(
  fault: Fault, nodes: number, seed: number,
): { cluster: Cluster; place: Place; struckAtMs: Millis } {
  const cluster = startWell({ ...fault.options, nodes, seed }, 6_000)
  const [place] = cluster.record.places.values()
  if (place === undefined) throw new RangeError('Cannot find a place')
  const [owner] = answerersOf(cluster, place)
  if (owner === undefined) throw new RangeError(`Nobody answers for ${place.unit} (seed ${seed})`)
  const struckAtMs = cluster.clock.nowMs
  const undo = fault.strike(cluster, owner)
  if (fault.lastsMs < Infinity) {
    pass(cluster, fault.lastsMs)
    undo()
  }
  pass(cluster, 6_000)
  return { cluster, place, struckAtMs }
}
