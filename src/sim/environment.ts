/** What a seed's cluster lives in: peers and fabrics that are not ours, foreign hosts, slow machines. */
import type { Millis } from '../net/model.ts'
import type { Cluster } from './cluster.ts'
import { appear, freezeNode, strayAnnouncement, takeAddress, type Undo } from './faults.ts'
import type { Costs } from './machine.ts'
import type { Options } from './plan.ts'
import { createRandom, type Random } from './random.ts'
import { schedule } from './simulation.ts'

/**
 * `calm`: nothing is done, for longer than placements of a start may move. `peers`: some nodes are MetalLB
 * speakers, which answer without asking. `fabric`: it suppresses ARP. `foreign`: a host takes an
 * address, in half of them without a word. `slow`: turns take time. `stalls`: loops stand still, one after
 * the other.
 */
export type Setting = 'plain' | 'calm' | 'peers' | 'fabric' | 'foreign' | 'slow' | 'stalls'

export interface Environment {
  readonly setting: Setting
  /** Those of the seed, with what the setting changes. */
  readonly options: Options
  /** What the setting does once all have started; undone: what lasts ends. */
  begin(cluster: Cluster): Undo
}

/** A process that needs some 50 us for a frame, as on a processor that others use. */
export const slow: Costs = { frameMs: 0.03, sendMs: 0.02, messageMs: 0.05, rightMs: 0.02 }
/** And 300 us, as where three of them, an API server and others share two processors. */
export const slowest: Costs = { frameMs: 0.18, sendMs: 0.12, messageMs: 0.3, rightMs: 0.12 }

/** Of 100 seeds, so many have each of them; all others are plain. */
const share = 3
const settings: readonly Setting[] = ['calm', 'peers', 'fabric', 'foreign', 'slow', 'stalls']

const theftMs = { from: 300, to: 12_000 }
const beginMs = 4_000
const stallMs = { from: 41, to: 330 }
const betweenStallsMs = { from: 20, to: 800 }
/** Between two new Services of a calm run: nobody places one while another is under way. */
export const calmGapMs: Millis = 3_000

/** From a source of its own, so that what is drawn otherwise is what it was. */
export function drawEnvironment(options: Options): Environment {
  const random = createRandom(options.seed ^ 0x1b873593)
  const setting = settings[Math.floor(100 * random.next() / share)] ?? 'plain'
  return {
    setting, options: { ...options, ...changesOf(setting, options, random) },
    begin: (cluster) => begin(setting, cluster, random),
  }
}

function changesOf(setting: Setting, { nodes, clients }: Options, random: Random): Partial<Options> {
  switch (setting) {
    case 'peers':
      return { strangers: 1 + random.below(Math.max(1, Math.floor((nodes - 1) / 2))) }
    case 'fabric':
      return { isSuppressing: true }
    case 'foreign':
      return { clients: Math.max(1, clients) }
    case 'slow':
      return { costs: random.pick([slow, slowest]) }
    default:
      return {}
  }
}

function begin(setting: Setting, cluster: Cluster, random: Random): Undo {
  if (setting === 'foreign') return steal(cluster, random)
  if (setting === 'stalls') stall(cluster, random, 3 + random.below(6))
  if (setting === 'calm') {
    const { units } = cluster.options
    const count = random.below(4)
    for (let i = 0; i < count; i++) schedule(cluster, i * calmGapMs, () => appear(cluster, units + i, 1))
  }
  return () => undefined
}

/**
 * A host takes the address of a unit for a while, with or without a word; perhaps it, or another, announces
 * one once besides.
 */
function steal(cluster: Cluster, random: Random): Undo {
  const keys = [...cluster.api.units.keys()]
  const [host, stray] = [random.pick(cluster.clients), random.pick(cluster.clients)]
  let end: Undo | undefined
  let isOver = false
  schedule(cluster, random.between(0, beginMs), () => {
    if (isOver) return
    const key = random.pick(keys)
    const lastsMs = random.between(theftMs.from, theftMs.to)
    end = takeAddress(cluster, host, key, random.chance(0.5))
    schedule(cluster, lastsMs, end)
  })
  const isStray = random.chance(0.5)
  schedule(cluster, random.between(0, 2 * beginMs), () => {
    if (isStray) strayAnnouncement(cluster, stray, random.pick(keys))
  })
  return () => {
    isOver = true
    end?.()
  }
}

/** Loops stand still in turn, for less than the fence lasts, or a little longer. */
function stall(cluster: Cluster, random: Random, times: number): void {
  if (times === 0) return
  schedule(cluster, random.between(betweenStallsMs.from, betweenStallsMs.to), () => {
    const name = random.pick([...cluster.machines.keys()])
    const isRunning = cluster.machines.get(name)?.state === 'running'
    const goOn = isRunning ? freezeNode(cluster, name) : () => undefined
    schedule(cluster, random.between(stallMs.from, stallMs.to), () => {
      goOn()
      stall(cluster, random, times - 1)
    })
  })
}
