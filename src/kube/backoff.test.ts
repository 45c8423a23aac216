/** Waits: doubling after failures, longer on a busy server, never beyond their bounds. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { backoffMs, lastRestMs, patientRest } from './backoff.ts'

const failures: { it: string; failures: number; random: number; want: number }[] = [
  { it: 'the first failure', failures: 1, random: 0, want: 100 },
  { it: 'the third has doubled twice', failures: 3, random: 0, want: 400 },
  { it: 'half is taken off at most', failures: 3, random: 1, want: 200 },
  { it: 'the cap holds after any number', failures: 5_000, random: 0, want: 5_000 },
]

for (const { it, failures: count, random, want } of failures) {
  test(`after a failure: ${it}`, () =>
    assert.is(backoffMs({ firstMs: 100, maxMs: 5_000 }, count, random), want))
}

const rests: { it: string; tookMs: number; leastMs: number; want: ReturnType<typeof patientRest> }[] = [
  { it: 'the first write is the best so far', tookMs: 20, leastMs: Number.POSITIVE_INFINITY,
    want: { restMs: 20, leastMs: 20 } },
  { it: 'a better one is the best', tookMs: 4, leastMs: 10, want: { restMs: 4, leastMs: 4 } },
  { it: 'on a slow server that is not busy as long as it took', tookMs: 102, leastMs: 100,
    want: { restMs: 102, leastMs: 102 } },
  { it: 'three times as long as at best: three times the rest', tookMs: 30.6, leastMs: 10,
    want: { restMs: 30.6 * (30.6 / 10.2), leastMs: 10.2 } },
  { it: 'no more than five times', tookMs: 40, leastMs: 2, want: { restMs: 200, leastMs: 2.04 } },
  { it: 'no longer than the bound', tookMs: 3_000, leastMs: 10, want: { restMs: 250, leastMs: 10.2 } },
]

for (const { it, tookMs, leastMs, want } of rests) {
  test(`rest: ${it}`, () => assert.equal(patientRest(tookMs, leastMs), want))
}

const lastRests: { it: string; tookMs: number; leastMs: number; want: number }[] = [
  { it: 'as long as the write', tookMs: 6, leastMs: 6, want: 6 },
  { it: 'on a busy server longer', tookMs: 20.4, leastMs: 10, want: 40.8 },
  { it: 'no longer than the bound', tookMs: 60, leastMs: 60, want: 50 },
  { it: 'nothing was written', tookMs: 0, leastMs: 10, want: 0 },
]

for (const { it, tookMs, leastMs, want } of lastRests) {
  test(`rest of the last rank: ${it}`, () => assert.is(lastRestMs(tookMs, leastMs), want))
}

test.run()
