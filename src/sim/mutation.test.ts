/** The checks bite: each rule that is left out is noticed. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { catchMutation, mutations, mutationSeeds } from './mutation.ts'

for (const mutation of mutations) {
  test(`${mutation.name}, a check fails`, () => {
    const seed = catchMutation(mutation, mutationSeeds, { nodes: { from: 3, to: 10 } })
    assert.ok(seed !== undefined, `no seed of ${mutationSeeds} noticed`)
    console.log(`${mutation.name}: caught by seed ${seed}`)
  })
}

test.run()
