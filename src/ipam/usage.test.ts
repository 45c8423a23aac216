/** Capacity and use of pools, exact beyond 2⁵³. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, pool, range, service } from '../config/builders.ts'
import { planAllocation } from './plan.ts'
import { mergeRanges, poolCapacity, poolUsage } from './usage.ts'

const capacities = [
  { it: 'a /24 and a /25', given: pool('p', '1.2.3.0/24 2.3.4.128/25'), want: [384n, 0n] },
  { it: 'the same without buggy addresses',
    given: pool('p', '1.2.3.0/24 2.3.4.128/25', { avoidBuggyIPs: true }), want: [381n, 0n] },
  { it: 'buggy addresses are IPv4 only',
    given: pool('p', '1.2.3.0/31 1000::/127', { avoidBuggyIPs: true }), want: [1n, 2n] },
  { it: 'a single buggy address counts nothing, not minus one',
    given: pool('p', '1.2.3.0/32', { avoidBuggyIPs: true }), want: [0n, 0n] },
  { it: 'buggy addresses inside a range',
    given: pool('p', '1.2.3.254-1.2.4.1', { avoidBuggyIPs: true }), want: [2n, 0n] },
  { it: 'the guide\'s primary pool',
    given: pool('p', '192.168.1.240-192.168.1.255', { avoidBuggyIPs: true }), want: [15n, 0n] },
  { it: 'a /64 is exact', given: pool('p', '2001:db8::/64'), want: [0n, 1n << 64n] },
  { it: 'excluded addresses are subtracted once, outside ones not at all',
    given: pool('p', '192.0.2.0/24', { excluded: [range('192.0.2.10-192.0.2.20'),
      range('192.0.2.15-192.0.2.30'), range('198.51.100.0/24')] }), want: [235n, 0n] },
  { it: 'an exclusion that covers all', given: pool('p', '192.0.2.0/30', {
    excluded: [range('192.0.0.0/16')] }), want: [0n, 0n] },
]
for (const { it, given, want } of capacities) {
  test(`poolCapacity: ${it}`, () => {
    const { ipv4, ipv6 } = poolCapacity(given)
    assert.equal([ipv4, ipv6], want)
  })
}

test('poolUsage: a shared address counts once, a pool without Services is listed', () => {
  const pools = config(pool('a', '192.0.2.0/30'), pool('b', '198.51.100.0/30'))
  const share = { sharingKey: 'k', hasSharingKey: true }
  const services = [service('x', share), service('y', { ...share, ports: [] }), service('z')]
  const usage = poolUsage(pools, planAllocation({ config: pools, services }))
  assert.equal(usage.map(({ pool: name, used }) => [name, used.ipv4]), [['a', 2n], ['b', 0n]])
})

test('mergeRanges: overlapping and adjacent ranges join, families stay apart', () => {
  const merged = mergeRanges(['192.0.2.4-192.0.2.9', '192.0.2.0-192.0.2.3', '192.0.2.8/31',
    '2001:db8::/126'].map(range))
  assert.equal(merged, [range('192.0.2.0-192.0.2.9'), range('2001:db8::/126')])
})

test.run()
