/** Who writes: cases of the lease, judged by one process's own clock. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { identityOf } from './leader.ts'
import { backoffMs } from './backoff.ts'
import {
  type Knowledge, type Lease, leaseMs, leaseTimeoutMs, nextStep, observe, writeMs,
} from './lease.ts'

const lease = (holder: string, version = '7'): Lease => ({
  version, holder, transitions: 1, renewTime: '2020-01-01T00:00:00.000000Z',
})

const cases: { it: string; known: Knowledge; now: number; want: string }[] = [
  { it: 'no lease yet', known: { lease: undefined, seenAtMs: 0 }, now: 0, want: 'create' },
  { it: 'somebody else\'s, just seen: its own times are not read',
    known: { lease: lease('b'), seenAtMs: 100 }, now: 100, want: 'wait' },
  { it: 'somebody else\'s, a moment before its end', known: { lease: lease('b'), seenAtMs: 100 },
    now: 100 + leaseMs - 1, want: 'wait' },
  { it: 'somebody else\'s, seen unchanged for its whole length',
    known: { lease: lease('b'), seenAtMs: 100 }, now: 100 + leaseMs, want: 'take' },
  { it: 'released', known: { lease: lease(''), seenAtMs: 100 }, now: 100, want: 'take' },
  { it: 'our own name: a restarted container resumes', known: { lease: lease('a'), seenAtMs: 100 },
    now: 100, want: 'take' },
]
for (const { it, known, now, want } of cases) {
  test(`lease: ${it}`, () => assert.is(nextStep(known, 'a', now).kind, want))
}

test('lease: a renewal starts its length anew, the same version does not', () => {
  const first = observe({ lease: undefined, seenAtMs: 0 }, lease('b', '1'), 1_000)
  const same = observe(first, lease('b', '1'), 9_000)
  assert.is(same.seenAtMs, 1_000)
  assert.is(observe(same, lease('b', '2'), 9_000).seenAtMs, 9_000)
})

test('lease: a write sent in the last instant is over before anybody else may take the lease', () => {
  assert.ok(writeMs + leaseTimeoutMs < leaseMs)
})

test('backoff: doubles up to its cap, half of it by chance', () => {
  const spec = { firstMs: 100, maxMs: 1_000 }
  assert.equal([1, 2, 3, 4, 5, 99].map((n) => backoffMs(spec, n, 0)), [100, 200, 400, 800, 1_000, 1_000])
  assert.is(backoffMs(spec, 1, 1), 50)
})

test('a Pod\'s name is who one is; without one, nobody is anybody else, also as process 1', () => {
  assert.is(identityOf('controller-0'), 'controller-0')
  const [one, other] = [identityOf(undefined), identityOf(undefined)]
  assert.match(one, /^controller-/)
  assert.is.not(one, other)
})

test.run()
