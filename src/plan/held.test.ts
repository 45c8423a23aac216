/** What speakers take from statuses: the trusted, the foreign, the contested. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, held, pinned, pool, service } from '../config/builders.ts'
import type { Intent } from '../config/model.ts'
import { planHeld } from './held.ts'

const lan = pool('lan', '192.0.2.0/24')
interface Case {
  it: string
  services: Intent[]
  lbClass?: string
  holdings: string[]
  unheld: string[]
}

const cases: Case[] = [
  { it: 'an address of a pool', services: [service('a', { held: held('192.0.2.1') })],
    holdings: ['default/a 192.0.2.1 lan'], unheld: [] },
  { it: 'nothing that is only wished for', services: [service('a', { requested: held('192.0.2.1') })],
    holdings: [], unheld: [] },
  { it: 'an address of no pool', services: [service('a', { held: held('198.51.100.1') })],
    holdings: [], unheld: ['default/a 198.51.100.1 notInPool'] },
  { it: 'one address twice: the older has it',
    services: [
      service('young', { held: held('192.0.2.1'), createdAtMs: 2 }),
      service('old', { held: held('192.0.2.1'), createdAtMs: 1 }),
    ],
    holdings: ['default/old 192.0.2.1 lan'], unheld: ['default/young 192.0.2.1 heldByOlder'] },
  { it: 'another class', services: [service('a', { held: held('192.0.2.1'), loadBalancerClass: 'x' })],
    holdings: [], unheld: [] },
  { it: 'our class', services: [service('a', { held: held('192.0.2.1'), loadBalancerClass: 'x' })],
    lbClass: 'x', holdings: ['default/a 192.0.2.1 lan'], unheld: [] },
  { it: 'no LoadBalancer any more',
    services: [service('a', { held: held('192.0.2.1'), isLoadBalancer: false })], holdings: [], unheld: [] },
]
for (const { it, services, lbClass = '', holdings, unheld } of cases) {
  test(it, () => {
    const plan = planHeld(config(lan), services, lbClass)
    assert.equal(plan.holdings.map((one) => `${one.service.key} ${one.text} ${one.pool}`), holdings)
    assert.equal(plan.unheld.map((one) => `${one.service} ${one.address} ${one.reason}`), unheld)
  })
}

test('who may take an address is decided already: the pool\'s restrictions are not looked at', () => {
  const strict = pool('lan', '192.0.2.0/24', {
    avoidBuggyIPs: true, allocation: pinned(1, { namespaces: new Set(['elsewhere']) }),
  })
  const plan = planHeld(config(strict), [service('a', { held: held('192.0.2.0') })], '')
  assert.is(plan.holdings.length, 1)
})

test.run()
