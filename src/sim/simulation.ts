/** Starts a cluster, lets time pass, and sums up what was seen. */
import type { Millis } from '../net/model.ts'
import {
  checkConverged, checkMoves, checkQuiet, checkSilence, checkStorm, checkVoice, isVeryLossy,
} from './checks.ts'
import { at, runUntil } from './clock.ts'
import {
  addUnit, boot, type Cluster, type CreateBrain, createCluster, startTraffic,
} from './cluster.ts'
import { checkForeign } from './foreign.ts'
import type { NeighbourTiming } from './hosts.ts'
import { linuxTiming } from './hosts.ts'
import type { Endpoints, Options } from './plan.ts'
import type { Finding } from './record.ts'
import { checkElected, checkShares } from './shares.ts'
import { gapsOf } from './tenure.ts'

export interface Start {
  readonly createBrain: CreateBrain
  readonly isTold: boolean
  /** All nodes start within this time. */
  readonly spreadMs: Millis
  readonly timing?: NeighbourTiming
  /** Clients have packets that often. */
  readonly trafficMs?: Millis
  /** Endpoints of the unit of that number, if its policy is Local. */
  readonly endpointsOf?: (index: number) => Endpoints | undefined
}

/** A cluster whose nodes boot, with its units wanted from the first instant. */
export function startSimulation(options: Options, start: Start): Cluster {
  const cluster = createCluster(options, start.createBrain, start.isTold)
  for (let i = 0; i < options.units; i++) addUnit(cluster, i, start.endpointsOf?.(i))
  for (const name of cluster.machines.keys()) {
    at(cluster.clock, cluster.random.between(0, start.spreadMs), () => boot(cluster, name))
  }
  startTraffic(cluster, start.timing ?? linuxTiming, start.trafficMs ?? 250)
  return cluster
}

/** Lets time pass. */
export function pass(cluster: Cluster, ms: Millis): void {
  runUntil(cluster.clock, cluster.clock.nowMs + ms)
}

export function schedule(cluster: Cluster, delayMs: Millis, run: () => void): void {
  at(cluster.clock, cluster.clock.nowMs + delayMs, run)
}

/** What each node has sent so far, its answers and announcements apart. */
export function countSent(cluster: Cluster): ReadonlyMap<string, number> {
  return new Map([...cluster.machines].map(([name, { sent }]) =>
    [name, sent.asks + sent.tells + sent.gossips]))
}

/** After the last fault: time to settle, then a look at whether it is at rest. */
export function settle(
  cluster: Cluster, settleMs: Millis, quietMs: Millis,
): readonly Finding[] {
  pass(cluster, settleMs)
  const before = countSent(cluster)
  const sinceMs = cluster.clock.nowMs
  pass(cluster, quietMs)
  const loud = checkQuiet(cluster, sinceMs, before)
  // A false suspicion is no finding there: what the last one began is seen to its end.
  const isSettling = isVeryLossy(cluster) && checkConverged(cluster).length > 0
  if (isSettling) pass(cluster, quietMs)
  return [...checkConverged(cluster), ...checkShares(cluster), ...checkElected(cluster), ...loud]
}

/** The checks that look at the whole run. */
export function checkRun(cluster: Cluster): readonly Finding[] {
  return [
    ...checkVoice(cluster), ...checkForeign(cluster), ...checkSilence(cluster), ...checkMoves(cluster),
    ...checkStorm(cluster),
  ]
}

/** Time without an answer after something was done to the owner, by what it was. */
export interface Dark {
  readonly kind: string
  readonly ms: Millis
}

export function darksOf(cluster: Cluster): readonly Dark[] {
  const { record, clock } = cluster
  return [...record.places.values()].flatMap((place) =>
    gapsOf(place, clock.nowMs).flatMap(({ fromMs, toMs, last }): readonly Dark[] => {
      if (last === undefined || toMs >= clock.nowMs) return []
      const deed = record.deeds.findLast(({ atMs, nodes }) => atMs <= fromMs && nodes.includes(last))
      if (deed === undefined) return []
      const kind = deed.kind.replace(/ on lan\d|[:\d.]+/g, '').replace(/ of lan.*/, '').trim()
      return [{ kind, ms: toMs - fromMs }]
    }))
}

/** The readable history of a run: findings are lines in it. */
export function historyOf(cluster: Cluster, findings: readonly Finding[]): readonly string[] {
  const lines = (cluster.record.history ?? []).map((text) => ({ atMs: Number(text.slice(0, 10)), text }))
  const verdicts = findings.map(({ atMs, check, text }) =>
    ({ atMs, text: `${atMs.toFixed(2).padStart(10)}  ********** ${check}: ${text}` }))
  return [...lines, ...verdicts].toSorted((a, b) => a.atMs - b.atMs).map(({ text }) => text)
}
