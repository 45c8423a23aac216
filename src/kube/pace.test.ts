/** How long a speaker rests between writes, by how long the API server takes. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createPace } from './pace.ts'

/** Rests after writes that took so long, one after the other. */
function restsAfter(took: readonly number[]): readonly number[] {
  const pace = createPace()
  return took.map((tookMs) => Math.round(pace(tookMs)))
}

const rows: readonly { it: string; took: readonly number[]; rests: readonly number[] }[] = [
  { it: 'rests as long as the first write took', took: [7], rests: [7] },
  { it: 'rests no longer on an idle server', took: [4, 4, 4], rests: [4, 4, 4] },
  { it: 'rests five times as long when a write takes five times as long', took: [4, 20], rests: [4, 98] },
  { it: 'goes back at once when the server is idle again', took: [4, 20, 4], rests: [4, 98, 4] },
  { it: 'never rests longer than half a second', took: [4, 4_000], rests: [4, 500] },
  { it: 'takes less than a step of the clock as one', took: [0, 0], rests: [1, 1] },
]
for (const { it, took, rests } of rows) {
  test(it, () => assert.equal(restsAfter(took), rests))
}

test('a server that became slow for good is the new measure in the end', () => {
  const rests = restsAfter([4, ...Array.from({ length: 200 }, () => 40)])
  assert.is(rests[1], 392)
  assert.is(rests.at(-1), 40)
})

test.run()
