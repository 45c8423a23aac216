/** The checks bite: each rule that is left out is noticed. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { catchMutation, mutations, mutationSeeds, mutationsOf } from './mutation.ts'

for (const mutation of mutations) {
  test(`${mutation.name}, a check fails`, () => {
    const seed = catchMutation(mutation, mutationSeeds, { nodes: { from: 3, to: 10 } })
    assert.ok(seed !== undefined, `no seed of ${mutationSeeds} noticed`)
    console.log(`${mutation.name}: caught by seed ${seed}`)
  })
}

test('one seed tells of each rule whether it sees it missing', () => {
  const found = [...mutationsOf(6, { nodes: { from: 3, to: 10 } })]
  assert.equal(found.map(({ name }) => name), [undefined, ...mutations.map(({ name }) => name)])
  assert.equal(found[0]?.found, [], 'it is clean with all rules')
  assert.is(found[1]?.found[0]?.check, 'voice', 'two voices without the fence')
})

test.run()
