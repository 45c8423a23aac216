/** Foreign hosts, fabrics and MetalLB speakers beside ours: what is weaker there, and no more than that. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { lossOverlapsOf } from './checks.ts'
import { sharedBound } from './beside.ts'
import { darkBounds } from './bounds.ts'
import { runUntil } from './clock.ts'
import { addUnit, type Cluster, createCluster } from './cluster.ts'
import { freezeNode, loseUplink, setQuality, takeAddress } from './faults.ts'
import { checkForeign } from './foreign.ts'
import { type Options, plainOptions } from './plan.ts'
import { createProduction } from './production.ts'
import { type Place, placeOf } from './record.ts'
import { lossy, type Segment } from './segment.ts'
import { overlapLine } from './table.ts'

/** Nobody runs in it: what was done and who answered is written by the test. */
function still(options: Partial<Options> = {}): { cluster: Cluster; place: Place; lan: Segment } {
  const cluster = createCluster({ ...plainOptions, ...options }, createProduction(), false)
  addUnit(cluster, 0)
  const [place, lan] = [placeOf(cluster.record, '203.0.113.1', 'lan0'), cluster.segments[0]]
  if (place === undefined || lan === undefined) throw new RangeError('Cannot find the segment')
  return { cluster, place, lan }
}

/** A host has the address from 1,000 to 5,000 ms, and n1 answers for so long. */
function besides(
  { fromMs = 0, toMs, loss = 0, hurt, isSilent = false }:
    { fromMs?: number; toMs: number; loss?: number; hurt?: string; isSilent?: boolean },
): readonly string[] {
  const { cluster, place, lan } = still()
  const [host] = cluster.clients
  if (host === undefined) throw new RangeError('Cannot find a host')
  runUntil(cluster.clock, 1_000)
  if (loss > 0) setQuality(cluster, lan, lossy(loss))
  if (hurt !== undefined) freezeNode(cluster, hurt)
  const end = takeAddress(cluster, host, place.unit, isSilent)
  // One that says nothing stays for longer.
  runUntil(cluster.clock, isSilent ? 12_000 : 5_000)
  end()
  place.tenures.push({ node: 'n1', fromMs, toMs, side: 0 })
  return checkForeign(cluster).map(({ text }) => text)
}

test('the first frame of a foreign host silences the owner, and nobody answers beside it', () => {
  assert.equal(besides({ toMs: 1_006 }), [])
  assert.equal(besides({ toMs: 1_007 }),
    ['n1 answered for 203.0.113.1 on lan0 beside a foreign host during 1.0 ms'])
  assert.is(besides({ fromMs: 4_990, toMs: 9_000 }).length, 1)
  assert.is(besides({ fromMs: 5_000, toMs: 9_000 }).length, 0, 'it has gone')
})

test('one that announces nothing is found when all has been asked for, after the first announcements', () => {
  const foundMs = 1_000 + 5_000 + still().cluster.api.units.size * 1_000 + 6
  assert.equal(besides({ isSilent: true, toMs: foundMs }), [])
  assert.equal(besides({ isSilent: true, toMs: foundMs + 1 }),
    ['n1 answered for 203.0.113.1 on lan0 beside a foreign host during 1.0 ms'])
})

test('whoever may not have heard that frame is not judged', () => {
  assert.is(besides({ toMs: 3_000, loss: 0.01 }).length, 0)
  assert.is(besides({ toMs: 3_000, hurt: 'n1' }).length, 0)
  assert.is(besides({ toMs: 3_000, hurt: 'n2' }).length, 1)
})

/** n2 has been deaf for 4 s, and the unit that `last` owned is dark since. */
function boundOf(options: Partial<Options>, last: string): number {
  const { cluster, place, lan } = still(options)
  runUntil(cluster.clock, 1_000)
  const heal = loseUplink(cluster, lan, 'n2')
  runUntil(cluster.clock, 5_000)
  heal()
  place.tenures.push({ node: last, fromMs: 0, toMs: 1_000, side: 0 })
  return sharedBound(cluster, place, { fromMs: 1_000, toMs: 5_000, last })
}

test('only what is not ours makes silence last longer', () => {
  assert.is(boundOf({}, 'n2'), 0)
  assert.is(boundOf({ isSuppressing: true }, 'n1'), 0, 'nothing was done to it')
  assert.is(boundOf({ isSuppressing: true, isGossipCarried: true }, 'n2'), darkBounds.gossipMs)
  assert.is(boundOf({ isSuppressing: true }, 'n2'), 4_000 + darkBounds.gossipMs, 'membership sees nothing')
  assert.is(boundOf({ strangers: 1 }, 'n2'), 0, 'it is one of ours')
  assert.is(boundOf({ strangers: 2 }, 'n2'), 4_000 + darkBounds.gossipMs)
  assert.is(boundOf({ strangers: 1 }, 'n3'), 11_000, 'ours defends itself once in 10 s')
})

test('overlaps at 30 % loss are those that nothing else excuses', () => {
  const lossOf = (loss: number): readonly number[] => {
    const { cluster, place } = still({ quality: lossy(loss) })
    place.tenures.push({ node: 'n1', fromMs: 0, toMs: 1_000, side: 0 })
    place.tenures.push({ node: 'n2', fromMs: 900, toMs: 2_000, side: 0 })
    return lossOverlapsOf(cluster)
  }
  assert.equal(lossOf(0.3), [100])
  assert.equal(lossOf(0.1), [])
})

test('one overlap of 100 may be above 300 ms, or one of few', () => {
  const line = (within: number, beyond: number): boolean =>
    overlapLine([...new Array(within).fill(300), ...new Array(beyond).fill(301)]).isKept
  assert.ok(line(5, 1) && line(198, 2))
  assert.not.ok(line(5, 2))
  assert.not.ok(line(197, 2) || line(197, 3))
  assert.is(overlapLine([7, 300.4, 12]).text,
    'overlaps at 30 % loss: n=3, p99 300 ms, max 300 ms, 1 above 300 ms')
})

test.run()
