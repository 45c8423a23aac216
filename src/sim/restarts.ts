/** Everything is killed and started again: each address is soon where it was, and moves there once. */
import { answerersOf } from './checks.ts'
import type { Cluster } from './cluster.ts'
import { freezeNode, kill } from './faults.ts'
import type { Scenario, Stage } from './scenario.ts'
import { schedule } from './simulation.ts'

/** How a program starts: for so long its turns are late again and again, each by as much at most. */
interface Slowness {
  readonly turns: number
  readonly lateMs: number
}

/** All are killed, and start within 5 s; every node knows who owned what: anybody, or those that did. */
function restartAll(stage: Stage, { turns, lateMs }: Slowness): void {
  const { cluster, pass } = stage
  const { random, api } = cluster
  const names = [...cluster.machines.keys()]
  const isShuffled = random.chance(0.5)
  for (const { unit, ...place } of cluster.record.places.values()) {
    const [owner = ''] = answerersOf(cluster, { unit, ...place })
    api.hints.set(unit, isShuffled ? random.pick(names) : owner)
  }
  const starts = names.map((name) => ({ name, start: kill(cluster, name), atMs: random.between(0, 5_000) }))
  pass(random.between(10, 2_000))
  stage.judgeFromHere()
  for (const { name, start, atMs } of starts) {
    schedule(cluster, atMs, () => {
      start()
      if (turns > 0) beLate(cluster, name, { turns: random.below(turns + 1), lateMs })
    })
  }
  pass(Math.max(...starts.map(({ atMs }) => atMs)) + 20_000)
}

function beLate(cluster: Cluster, name: string, { turns, lateMs }: Slowness): void {
  if (turns === 0) return
  const { random } = cluster
  schedule(cluster, random.between(1, 600), () => {
    const goOn = freezeNode(cluster, name)
    schedule(cluster, random.between(100, lateMs), () => {
      goOn()
      beLate(cluster, name, { turns: turns - 1, lateMs })
    })
  })
}

/** Who answers for what is not its own, and what moved by choice more often than it was claimed otherwise. */
function strayed({ cluster }: Stage): readonly string[] {
  const kills = cluster.record.deeds.filter(({ kind }) => kind === 'kill')
  const startMs = Math.min(...kills.map(({ untilMs }) => untilMs))
  return [...cluster.record.places.values()].flatMap((place) => {
    const { unit } = place
    const hint = cluster.api.hints.get(unit) ?? ''
    const owners = answerersOf(cluster, place).join(' and ')
    const claims = cluster.record.notes.flatMap(({ atMs, note }) =>
      atMs >= startMs && note.kind === 'claimed' && note.unit === unit ? [note.cause] : [])
    const chosen = claims.filter((cause) => cause === 'handOver').length
    return [
      ...owners === hint ? [] : [`${owners} answers for ${unit}, which was ${hint}'s: ${claims.join(', ')}`],
      ...2 * chosen <= claims.length ? [] : [`${unit} moved ${chosen} times by choice: ${claims.join(', ')}`],
    ]
  })
}

function restart(
  it: string, seeds: number, slowness: Slowness, options: Scenario['options'] = {},
): Scenario {
  return {
    it, seeds, options: { units: 6, ...options }, story: (stage) => restartAll(stage, slowness), most: {},
    also: strayed,
  }
}

const calm: Slowness = { turns: 0, lateMs: 0 }
const slow: Slowness = { turns: 4, lateMs: 800 }

const all = 'everything is killed and started'

export const restarts: readonly Scenario[] = [
  restart(`${all} within 5 s: each address is where it was`, 12, calm),
  restart(`${all}, turns are up to 800 ms late: each address is where it was`, 24, slow),
  restart('the same with production membership, and four nodes', 12, slow, { nodes: 4, hasRings: true }),
]
