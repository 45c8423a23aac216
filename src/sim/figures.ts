/** Figures of a cluster: dark time after a hard loss, of many addresses at once, and what is said at rest. */
import type { Millis } from '../net/model.ts'
import type { Placement } from '../l2/placement.ts'
import { answerersOf } from './checks.ts'
import type { Cluster } from './cluster.ts'
import { crash, freezeNode, kill } from './faults.ts'
import { startWell } from './measure.ts'
import { pass } from './simulation.ts'
import { gapsOf } from './tenure.ts'

/** Owners that died, one a trial. */
export interface Loss {
  readonly fault: string
  readonly placement: Placement
  readonly nodes: number
  readonly trials: number
  /** How long each address of it was dark, sorted. */
  readonly darks: readonly Millis[]
}

const losses = [
  { name: 'power lost', strike: crash },
  { name: 'process killed', strike: kill },
  { name: 'process frozen', strike: freezeNode },
] as const
const placements: readonly Placement[] = ['sticky', 'hash']
export const lossSizes: readonly number[] = [3, 10, 20]

/** After the death: whatever is not answered for by then has been dark for that long. */
const lookMs = { few: 3_000, many: 4_000 }
const warmMs = { few: 5_000, many: 8_000 }
/** Until membership has called a dead one dead, or the start is over. */
const restAfterMs = { missing: 10_000, none: 4_000 }
/** Every address is announced again once in it. */
const restSeconds = 30

/** The owner of one address dies without packet loss, at each size, in both ways and placements. */
export function* measureLosses(trials: number, sizes = lossSizes): Generator<Loss> {
  for (const { name, strike } of losses) {
    for (const placement of placements) {
      for (const nodes of sizes) {
        const darks = Array.from({ length: trials }, (_, i) => {
          const cluster = startWell({ nodes, placement, seed: i + 1 }, warmMs.few)
          return darksAfter(cluster, strike, lookMs.few)
        }).flat()
        yield { fault: name, placement, nodes, trials, darks: darks.toSorted((a, b) => a - b) }
      }
    }
  }
}

export interface Burst {
  readonly placement: Placement
  readonly nodes: number
  /** Of all. */
  readonly addresses: number
  /** Of the node that dies: how long each was dark, sorted. */
  readonly darks: readonly Millis[]
}

/** One of ten nodes dies with its part of 1,000 addresses. */
export function measureBurst(placement: Placement, seed = 1): Burst {
  const nodes = 10
  const addresses = 1_000
  const cluster = startWell({ nodes, placement, units: addresses, seed }, warmMs.many)
  const darks = darksAfter(cluster, crash, lookMs.many)
  return { placement, nodes, addresses, darks: darks.toSorted((a, b) => a - b) }
}

/** A second of one node at rest, on average and of the one that has most. */
export interface Rate {
  readonly mean: number
  readonly most: number
}

export interface Rest {
  readonly nodes: number
  readonly addresses: number
  /** One node is dead, and missing by membership. */
  readonly isOneMissing: boolean
  /** Beats and other words to members, as datagrams. */
  readonly words: { readonly sent: Rate; readonly received: Rate }
  /** Asks of the wire: of owners by witnesses, of others whether anybody is there. */
  readonly asks: Rate
  /** Answers, and announcements that are repeated every 30 s. */
  readonly voices: Rate
  /** Frames of the wire that reach its process. */
  readonly frames: Rate
}

/** One address a node, unless there are more; 12 s after the start, or 10 s after one node has died. */
export function measureRest(
  nodes: number, { addresses = nodes, isOneMissing = false, seconds = restSeconds } = {},
): Rest {
  const cluster = startWell({ nodes, units: addresses, clients: 0, seed: 1 }, warmMs.many)
  const [last] = [...cluster.machines.keys()].slice(-1)
  if (isOneMissing && last !== undefined) crash(cluster, last)
  pass(cluster, isOneMissing ? restAfterMs.missing : restAfterMs.none)
  const before = countsOf(cluster)
  pass(cluster, 1_000 * seconds)
  const after = countsOf(cluster)
  const rate = (of: (count: Counts) => number): Rate => {
    const perSecond = after.map((count, i) => {
      const was = before[i]
      return was === undefined ? 0 : (of(count) - of(was)) / seconds
    })
    const mean = perSecond.reduce((sum, each) => sum + each, 0) / perSecond.length
    return { mean, most: Math.max(...perSecond) }
  }
  return {
    nodes, addresses, isOneMissing,
    words: {
      sent: rate(({ sent }) => sent.tells + sent.gossips), received: rate(({ received }) => received.words),
    },
    asks: rate(({ sent }) => sent.asks), voices: rate(({ sent }) => sent.voices),
    frames: rate(({ received }) => received.frames),
  }
}

interface Counts {
  readonly sent: { readonly tells: number; readonly gossips: number; readonly asks: number
    readonly voices: number }
  readonly received: { readonly words: number; readonly frames: number }
}

/** Of those that run. */
function countsOf(cluster: Cluster): readonly Counts[] {
  return [...cluster.machines.values()].filter(({ state }) => state === 'running')
    .map(({ sent, received }) => ({ sent: { ...sent }, received: { ...received } }))
}

/** Strikes the owner of the first address; how long each of its addresses is dark. */
function darksAfter(
  cluster: Cluster, strike: (cluster: Cluster, owner: string) => unknown, forMs: Millis,
): readonly Millis[] {
  const places = [...cluster.record.places.values()]
  const owner = places[0] === undefined ? undefined : answerersOf(cluster, places[0])[0]
  if (owner === undefined) throw new RangeError('Nobody answers for the first address')
  const its = places.filter((place) => answerersOf(cluster, place).includes(owner))
  const struckAtMs = cluster.clock.nowMs
  strike(cluster, owner)
  pass(cluster, forMs)
  return its.map((place) => Math.max(0, ...gapsOf(place, cluster.clock.nowMs)
    .filter(({ toMs }) => toMs > struckAtMs)
    .map(({ fromMs, toMs }) => toMs - Math.max(fromMs, struckAtMs))))
}
