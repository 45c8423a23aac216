/** Faults that overlap: each is undone by its own end, in whatever order they end. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { answerersOf } from './checks.ts'
import { type Cluster, createCluster } from './cluster.ts'
import { setQuality, starve, strayAnnouncement } from './faults.ts'
import { plainOptions } from './plan.ts'
import { createProduction } from './production.ts'
import type { Place } from './record.ts'
import { goodQuality } from './segment.ts'
import { pass, startSimulation } from './simulation.ts'
import { answeredUntil } from './slice.ts'

/** Which of two losses ends first, and what is left then. */
const orders = [[0, 0.05], [1, 0.3]] as const

for (const [first, left] of orders) {
  test(`two losses, number ${first + 1} ends first: ${100 * left} % are left, then those of the run`, () => {
    const options = { ...plainOptions, quality: { ...goodQuality, loss: 0.01 } }
    const cluster = createCluster(options, createProduction(), false)
    const [lan] = cluster.segments
    if (lan === undefined) throw new RangeError('Cannot find a segment')
    const ends = [0.3, 0.05].map((loss) => setQuality(cluster, lan, { ...goodQuality, loss }))
    ends[first]?.()
    assert.is(lan.quality.loss, left)
    ends[1 - first]?.()
    assert.equal(lan.quality, options.quality)
  })
}

/** The quota of an owner (5 of 100 ms) ends at 60 ms; another host has spoken since its slice, or has not. */
function liftBetweenSlices(isSpoken: boolean): {
  readonly ended: number | undefined; readonly place: Place; readonly cluster: Cluster
} {
  const cluster = startSimulation({ ...plainOptions, nodes: 3, clients: 1 }, {
    createBrain: createProduction(), spreadMs: 100, isTold: false,
  })
  pass(cluster, 8_000)
  const [place] = cluster.record.places.values()
  const [host] = cluster.clients
  if (place === undefined || host === undefined) throw new RangeError('Cannot find a unit and a host')
  const [owner = ''] = answerersOf(cluster, place)
  const lift = starve(cluster, owner, 5, 100)
  pass(cluster, 120)
  if (isSpoken) strayAnnouncement(cluster, host, place.unit)
  pass(cluster, 40)
  lift()
  pass(cluster, 5)
  return { ended: place.tenures.findLast(({ node }) => node === owner)?.toMs, place, cluster }
}

test('a process that is let run between its slices reads what came since before it is a voice again', () => {
  const { ended, place, cluster } = liftBetweenSlices(true)
  assert.is(ended, 8_105, 'it answered in its last slice, and is silent since it reads the other voice')
  assert.equal(answerersOf(cluster, place), [])
})

test('a process that is let run between its slices goes on answering where nothing has happened', () => {
  const { place, cluster } = liftBetweenSlices(false)
  assert.is(answerersOf(cluster, place).length, 1)
  assert.is(place.tenures.length, 1)
})

const quota = { fromMs: 1_050, periodMs: 100, runMs: 5, isOver: false }
const answered = [
  { it: 'has no quota: until now', given: undefined, nowMs: 1_150, want: 1_150 },
  { it: 'waits for its slice: until the end of the last', given: quota, nowMs: 1_250, want: 1_205 },
  { it: 'waits for its first slice: until the quota began', given: quota, nowMs: 1_098, want: 1_050 },
  { it: 'has just been let run: until the end of the slice before', given: quota, nowMs: 1_300, want: 1_205 },
  { it: 'runs: until now', given: quota, nowMs: 1_303, want: 1_303 },
]

for (const { it, given, nowMs, want } of answered) {
  test(`a process that ${it}`, () => assert.is(answeredUntil(given, nowMs), want))
}

test.run()
