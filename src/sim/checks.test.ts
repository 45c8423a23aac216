/** The exceptions of the checks: each excuses what it is for, and bites one step beyond. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Cause, Note } from '../ownership/model.ts'
import { checkMoves, checkSilence, checkVoice } from './checks.ts'
import { runUntil } from './clock.ts'
import { type Cluster, createCluster } from './cluster.ts'
import { loseUplink, note as noteDeed, split } from './faults.ts'
import { plainOptions } from './plan.ts'
import { createProduction } from './production.ts'
import { placeOf, wantPlace } from './record.ts'
import type { Segment } from './segment.ts'

const unit = '203.0.113.1'

/** Nobody runs in it: what was done and who answered is written by the test. */
function stillCluster(): { cluster: Cluster; lans: readonly [Segment, Segment] } {
  const cluster = createCluster({ ...plainOptions, nodes: 4, segments: 2 }, createProduction(), false)
  wantPlace(cluster.record, unit, 'lan0', 0)
  const [first, second] = cluster.segments
  if (first === undefined || second === undefined) throw new RangeError('Cannot find two segments')
  return { cluster, lans: [first, second] }
}

interface Joining {
  readonly name: string
  /** The segment of the split that begins at 1,000 ms, and who is on its other side. */
  readonly lan: 0 | 1
  readonly nodes: readonly string[]
  /** n1 has its uplink on the first segment again, before the split. */
  readonly isBack?: boolean
  /** n1 and n2 both answer on the other side of the first segment since 1,000 ms, for so long. */
  readonly overlapMs: number
  readonly findings: number
}

const joinings: readonly Joining[] = [
  { name: 'takes that node along: they meet', lan: 0, nodes: ['n1', 'n2'], overlapMs: 250, findings: 0 },
  { name: 'takes that node along: 250 ms', lan: 0, nodes: ['n1', 'n2'], overlapMs: 251, findings: 1 },
  { name: 'leaves that node alone', lan: 0, nodes: ['n2', 'n3'], overlapMs: 1, findings: 1 },
  { name: 'is one of another segment', lan: 1, nodes: ['n1', 'n2'], overlapMs: 1, findings: 1 },
  { name: 'comes when it is back', lan: 0, nodes: ['n1', 'n2'], isBack: true, overlapMs: 1, findings: 1 },
]

for (const { name, lan, nodes, isBack, overlapMs, findings } of joinings) {
  test(`a split while an uplink is lost ${name}`, () => {
    const { cluster, lans } = stillCluster()
    const back = loseUplink(cluster, lans[0], 'n1')
    runUntil(cluster.clock, 500)
    if (isBack === true) back()
    runUntil(cluster.clock, 1_000)
    split(cluster, lans[lan], nodes)
    const tenures = placeOf(cluster.record, unit, 'lan0')?.tenures
    for (const node of ['n1', 'n2']) {
      tenures?.push({ node, fromMs: 1_000, toMs: 1_000 + overlapMs, side: 1 })
    }
    assert.is(checkVoice(cluster).length, findings)
  })
}

interface Telling {
  readonly name: string
  /** n1 falls silent at 2,000 ms, since n2 answers. */
  readonly overlapMs: number
  /** What n1 tells of the unit after that, how much later, and first of all perhaps that it is silent. */
  readonly laterMs: number
  readonly cause: Cause
  readonly to: string
  readonly isFirst?: boolean
  readonly findings: number
}

const tellings: readonly Telling[] = [
  { name: 'in its next turn', overlapMs: 50, laterMs: 96, cause: 'handOver', to: 'n2', findings: 0 },
  { name: 'beyond 50 ms', overlapMs: 51, laterMs: 96, cause: 'handOver', to: 'n2', findings: 1 },
  { name: 'much later', overlapMs: 2, laterMs: 101, cause: 'handOver', to: 'n2', findings: 1 },
  { name: 'since it was contested', overlapMs: 2, laterMs: 96, cause: 'contested', to: 'n2', findings: 1 },
  { name: 'to another', overlapMs: 2, laterMs: 96, cause: 'handOver', to: 'n3', findings: 1 },
  { name: 'after all', overlapMs: 2, laterMs: 96, cause: 'handOver', to: 'n2', isFirst: true, findings: 1 },
]

for (const { name, overlapMs, laterMs, cause, to, isFirst, findings } of tellings) {
  test(`an owner falls silent for its successor, and lets go ${name}`, () => {
    const { cluster: { record }, cluster } = stillCluster()
    const tenures = placeOf(record, unit, 'lan0')?.tenures
    tenures?.push({ node: 'n1', fromMs: 1_000, toMs: 2_000, side: 0 })
    tenures?.push({ node: 'n2', fromMs: 2_000 - overlapMs, toMs: 3_000, side: 0 })
    const hushed: Note = { kind: 'silenced', unit, cause: 'contested' }
    if (isFirst === true) record.notes.push({ atMs: 2_010, node: 'n1', note: hushed })
    const note: Note = { kind: 'released', unit, cause, from: 'n1', to, darkMs: undefined }
    record.notes.push({ atMs: 2_000 + laterMs, node: 'n1', note })
    assert.is(checkVoice(cluster).length, findings)
  })
}

for (const [other, findings] of [[unit, 0], [`${unit}0`, 1]] as const) {
  test(`a foreign host that takes ${other} excuses what becomes of that alone`, () => {
    const { cluster } = stillCluster()
    runUntil(cluster.clock, 100_000)
    noteDeed(cluster, `foreign host takes ${other} on lan0`, [], 130_000)
    runUntil(cluster.clock, 130_000)
    const tenures = placeOf(cluster.record, unit, 'lan0')?.tenures
    tenures?.push({ node: 'n1', fromMs: 0, toMs: 110_000, side: 0 })
    tenures?.push({ node: 'n2', fromMs: 120_000, toMs: Infinity, side: 0 })
    assert.is(checkSilence(cluster).length, findings)
    assert.is(checkMoves(cluster).length, findings)
  })
}

test.run()
