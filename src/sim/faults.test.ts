/** Faults that overlap: each is undone by its own end, in whatever order they end. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createCluster } from './cluster.ts'
import { setQuality } from './faults.ts'
import { plainOptions } from './plan.ts'
import { createProduction } from './production.ts'
import { goodQuality } from './segment.ts'

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

test.run()
