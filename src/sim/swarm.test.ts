/** Random histories by seed; SEEDS, SEED and NODES in the environment choose others. Replay: hack/sim. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createProduction } from './production.ts'
import { runSeed, type SwarmLimits } from './swarm.ts'

const seeds = Number(process.env['SEEDS'] ?? 500)
const first = Number(process.env['SEED'] ?? 1)
const [from = 3, to = 10] = (process.env['NODES'] ?? '3..10').split('..').map(Number)
const limits: SwarmLimits = { nodes: { from, to } }
const batch = 50

/** One test for each fifty seeds, so that a failure names the neighbourhood and the others still run. */
for (let at = first; at < first + seeds; at += batch) {
  const end = Math.min(at + batch, first + seeds)
  test(`seeds ${at} to ${end - 1} of ${from} to ${to} nodes`, () => {
    for (let seed = at; seed < end; seed++) {
      const { findings } = runSeed(seed, limits, createProduction())
      if (findings.length === 0) continue
      const { history } = runSeed(seed, limits, createProduction(), true)
      console.log(history.slice(-200).join('\n'))
      const said = findings.map(({ check, text }) => `${check}: ${text}`)
      assert.equal(said, [], `replay with hack/sim --seed ${seed} --nodes ${from}..${to} --verbose`)
    }
  })
}

test('a seed gives the same run again', () => {
  const isEither = new Set<boolean>()
  for (let seed = first; isEither.size < 2; seed++) {
    const [a, b] = [1, 2].map(() => runSeed(seed, limits, createProduction(), true))
    if (a !== undefined) isEither.add(a.options.hasRings)
    assert.equal(a?.history, b?.history)
    assert.equal(a?.events, b?.events)
  }
})

test.run()
