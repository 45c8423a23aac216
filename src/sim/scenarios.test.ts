/** Everything that can happen to us, as named histories with their bounds. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { conditions } from './conditions.ts'
import { memberships } from './memberships.ts'
import { createProduction } from './production.ts'
import { restarts } from './restarts.ts'
import { judge, type Scenario } from './scenario.ts'
import { schedules } from './schedules.ts'
import { createStranger } from './stranger.ts'
import { survivors } from './survivors.ts'
import { thieves } from './thieves.ts'

for (const scenario of [...schedules, ...conditions, ...survivors, ...thieves, ...memberships, ...restarts]) {
  test(scenario.it, () => {
    const complaint = judge(scenario, createProduction())
    if (complaint !== undefined) console.log(complaint.history.join('\n'))
    assert.equal(complaint?.seed, undefined, complaint?.text)
  })
}

test('two that answer on purpose are seen as two', () => {
  const scenario: Scenario = {
    it: 'measuring', options: { nodes: 2, units: 1 }, warmUpMs: 60, spreadMs: 50, seeds: 1,
    story: ({ pass }) => pass(3_000), most: {},
  }
  const complaint = judge(scenario, createStranger)
  assert.match(complaint?.text ?? 'nothing seen', /overlapMs/)
})

test.run()
