/** A workload rollout under Services with policy Local: endpoints end on a node, go, and come on another. */
import type { Millis } from '../net/model.ts'
import { after } from './clock.ts'
import { type Cluster, spreadApi } from './cluster.ts'
import type { Undo } from './faults.ts'
import { type Endpoints, nodeName, type Options, planUnit } from './plan.ts'
import { createRandom, type Random } from './random.ts'
import { noteServed } from './record.ts'

interface Pod {
  node: string
  state: 'ready' | 'ending' | 'gone'
  isNew: boolean
}

interface Workload {
  /** Key of the unit that it serves. */
  readonly unit: string
  readonly pods: Pod[]
  /** New Pods are ready before old ones end. */
  readonly isSurging: boolean
  /** So many of them at once. */
  readonly width: number
}

export interface Rollout {
  /** Endpoints of the unit of that number, if its policy is Local. */
  endpointsOf(index: number): Endpoints | undefined
  /** Replaces one Pod after the other; undone: all that are left at once. */
  begin(cluster: Cluster): Undo
}

const share = 0.2
const readyMs = { from: 50, to: 1_500 }
const graceMs = { from: 30, to: 3_000 }
const beginMs = 4_000

/** From a source of its own, so that runs without a rollout are what they were. */
export function drawRollout({ seed, nodes, units, isDual }: Options): Rollout | undefined {
  const random = createRandom(seed ^ 0x3c6ef372)
  if (!random.chance(share)) return undefined
  const names = Array.from({ length: nodes }, (_, i) => nodeName(i))
  const workloads = new Map(Array.from({ length: units }, (_, i) => i)
    .filter((i) => i === 0 || random.chance(0.5)).map((i): [number, Workload] => {
      const pods = Array.from({ length: 1 + random.below(3) }, (): Pod =>
        ({ node: random.pick(names), state: 'ready', isNew: false }))
      const width = random.chance(0.6) ? 1 : pods.length
      return [i, { unit: planUnit(i, isDual).key, pods, isSurging: random.chance(0.6), width }]
    }))
  return {
    endpointsOf: (index) => {
      const workload = workloads.get(index)
      return workload === undefined ? undefined : endpointsOf(workload)
    },
    begin: (cluster) => {
      const ends = [...workloads.values()].map((workload) => roll(cluster, workload, { random, names }))
      return () => {
        for (const end of ends) end()
      }
    },
  }
}

/** A node is ready while any of its Pods is. */
function endpointsOf({ pods }: Workload): Endpoints {
  const endpoints = new Map<string, 'ready' | 'ending'>()
  for (const { node, state } of pods) {
    if (state === 'gone' || endpoints.get(node) === 'ready') continue
    endpoints.set(node, state)
  }
  return endpoints
}

function roll(
  cluster: Cluster, workload: Workload,
  { random, names }: { readonly random: Random; readonly names: readonly string[] },
): Undo {
  const { pods, isSurging, width } = workload
  let isOver = false
  const later = ({ from, to }: { from: Millis; to: Millis }, run: () => void): void =>
    after(cluster.clock, random.between(from, to), () => {
      if (isOver) return
      run()
      publish(cluster, workload)
    })
  const come = (old: readonly Pod[]): void => {
    for (const { node } of old) {
      pods.push({ node: random.chance(0.3) ? node : random.pick(names), state: 'ready', isNew: true })
    }
  }
  const end = (old: readonly Pod[], then: () => void): void => {
    for (const pod of old) pod.state = 'ending'
    later(graceMs, () => {
      for (const pod of old) pod.state = 'gone'
      then()
    })
  }
  const next = (): void => {
    const old = pods.filter(({ isNew, state }) => !isNew && state === 'ready').slice(0, width)
    if (old.length === 0) return
    if (isSurging) {
      later(readyMs, () => {
        come(old)
        end(old, next)
      })
    } else {
      later(readyMs, () => end(old, () => later(readyMs, () => {
        come(old)
        next()
      })))
    }
  }
  after(cluster.clock, random.between(0, beginMs), next)
  return () => {
    isOver = true
    finish(workload, random.pick(names))
    publish(cluster, workload)
  }
}

/** What ends is gone; somebody serves. */
function finish({ pods }: Workload, node: string): void {
  for (const pod of pods) if (pod.state === 'ending') pod.state = 'gone'
  if (pods.every(({ state }) => state === 'gone')) pods.push({ node, state: 'ready', isNew: true })
}

/** A node sees what is there when the news arrives, whichever news. */
function publish(cluster: Cluster, workload: Workload): void {
  const { api, record, clock } = cluster
  const known = api.units.get(workload.unit)
  if (known === undefined) return
  const unit = { ...known, endpoints: endpointsOf(workload) }
  api.units.set(unit.key, unit)
  noteServed(record, unit, clock.nowMs)
  spreadApi(cluster, (seen) => {
    const latest = api.units.get(unit.key)
    if (latest !== undefined && seen.has(unit.key)) seen.set(unit.key, latest)
  })
}
