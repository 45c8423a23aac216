/** Balance and election are judged where placement promises them, and bite one step beyond. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { rankByHash } from '../l2/placement.ts'
import { runUntil } from './clock.ts'
import { addUnit, type Cluster, createCluster } from './cluster.ts'
import { note } from './faults.ts'
import { type Endpoints, type Options, plainOptions } from './plan.ts'
import { createProduction } from './production.ts'
import { extend, placeOf } from './record.ts'
import { checkElected, checkShares } from './shares.ts'

/** Nobody runs in it: who answers for the unit of each number is written by the test. */
function ownedBy(
  owners: readonly string[], { endpoints, ...options }: Partial<Options> & { endpoints?: Endpoints } = {},
): Cluster {
  const cluster = createCluster({ ...plainOptions, ...options }, createProduction(), false)
  owners.forEach((node, i) => {
    addUnit(cluster, i, endpoints)
    const place = placeOf(cluster.record, keyOf(i), 'lan0')
    if (place !== undefined) extend(place, { node, fromMs: 0, toMs: Infinity, side: 0 })
  })
  return cluster
}

const keyOf = (index: number): string => `203.0.113.${index + 1}`

/** The first minute is over. */
function grown(cluster: Cluster): Cluster {
  runUntil(cluster.clock, 66_000)
  return cluster
}

function handed(cluster: Cluster, index: number, to: string, atMs: number): void {
  const unit = keyOf(index)
  cluster.record.notes.push({
    atMs, node: to, note: { kind: 'claimed', unit, cause: 'handOver', from: 'n2', to, darkMs: undefined },
  })
}

const shares = (cluster: Cluster): readonly string[] => checkShares(cluster).map(({ text }) => text)

test('one more than another is balanced, two more are not', () => {
  assert.is(shares(grown(ownedBy(['n1', 'n2', 'n3', 'n1']))).length, 0)
  assert.equal(shares(grown(ownedBy(['n1', 'n2', 'n1']))), [
    'n1 has 2 addresses, 203.0.113.1 among them, which a node with 0 could serve',
    'n1 has 2 addresses, 203.0.113.3 among them, which a node with 0 could serve',
  ])
  const dual = grown(ownedBy(['n1', 'n2', 'n3', 'n1'], { isDual: true }))
  assert.is(shares(dual).length, 0, 'addresses of one unit')
})

test('balance is judged after the first minute, without faults, by load', () => {
  const owners = ['n1', 'n2', 'n1']
  const early = ownedBy(owners)
  runUntil(early.clock, 60_000)
  assert.is(shares(early).length, 0)
  const struck = grown(ownedBy(owners))
  note(struck, 'freeze', ['n3'])
  assert.is(shares(struck).length, 0)
  const grownMore = grown(ownedBy(owners))
  note(grownMore, '1 new Services', [])
  assert.is(shares(grownMore).length, 2)
  assert.is(shares(grown(ownedBy(owners, { placement: 'hash' }))).length, 0)
})

test('who cannot serve a unit counts not at all', () => {
  const endpoints: Endpoints = new Map([['n1', 'ready'], ['n2', 'ready'], ['n3', 'ending']])
  assert.is(shares(grown(ownedBy(['n1', 'n2', 'n1'], { endpoints }))).length, 0)
})

test('what two owners hand to one node at once stays there, what they hand to it in turn does not', () => {
  const owners = ['n2', 'n1', 'n1']
  const race = grown(ownedBy(owners))
  handed(race, 1, 'n1', 3_000)
  handed(race, 2, 'n1', 3_900)
  assert.is(shares(race).length, 0)
  const turns = grown(ownedBy(owners))
  handed(turns, 1, 'n1', 3_000)
  handed(turns, 2, 'n1', 4_100)
  assert.is(shares(turns).length, 2)
})

test('by hash the elected node has the unit', () => {
  const elected = rankByHash(['n1', 'n2', 'n3'].map((node) => ({ node, score: 0 })), keyOf(0))
    .map(({ node }) => node)
  const [first = '', second = ''] = elected
  assert.is(checkElected(ownedBy([first], { placement: 'hash' })).length, 0)
  assert.equal(checkElected(ownedBy([second], { placement: 'hash' })).map(({ text }) => text),
    [`${second} has 203.0.113.1 by hash, and ${first} is elected`])
  assert.is(checkElected(ownedBy([second], { strangers: 1 })).length, 1, 'a MetalLB speaker makes all elect')
  assert.is(checkElected(ownedBy([second])).length, 0)
})

test.run()
