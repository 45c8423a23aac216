/** Nodes that could announce an address but yield: to a connected prefix, or to ready endpoints. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address as parse, service } from '../config/builders.ts'
import type { Endpoint } from '../config/model.ts'
import { parsePrefix } from '../net/range.ts'
import { continueDemands, planDemand, startDemands } from './demand.ts'
import type { LinkState, Member } from './model.ts'

const address = parse('192.0.2.7')

const member = (name: string, network: string): Member => {
  const prefix = parsePrefix(network)
  if (prefix === undefined) throw new Error(`Bad test prefix "${network}"`)
  const link: LinkState = {
    index: 2, name: 'eth0', mac: '02:00:5e:00:53:01', mtuBytes: 1500, isUp: true, hasCarrier: true,
    master: undefined, isLoopback: false, isNoArp: false, isBroadcast: true,
    addresses: [{ address: prefix, prefix, isTentative: false }],
  }
  return { name, links: [link] }
}

const demand = (
  members: readonly Member[], everywhere: boolean, of = service('web'), endpoints?: readonly Endpoint[],
) => planDemand(startDemands({
  config: { pools: [], advertisements: [], bgpOnlyPools: new Set() },
  advertisementsByPool: new Map([['lan', [{
    name: 'ad', pools: new Set(['lan']), nodeSelectors: [], interfaces: [], serviceSelectors: [],
    preferred: [],
  }]]]),
  nodes: new Map(),
  members: new Map(members.map((one) => [one.name, one])),
  names: members.map((one) => one.name),
  endpoints: endpoints === undefined ? undefined : new Map([['default/web', endpoints]]),
  ignoreExcludeLabel: false,
  everywhere,
}), { service: of, address, text: '192.0.2.7', pool: 'lan' })

const near = member('near', '192.0.2.0/24')
const far = member('far', '198.51.100.0/24')

test('a node without a covering prefix yields, and says so', () => {
  const { bids, silent } = demand([far, near], false)
  assert.equal(bids.map((bid) => bid.node), ['near'])
  assert.equal(silent, [{ node: 'far', reason: 'noPrefix' }])
})

test('where no node has a covering prefix, all may announce', () => {
  assert.equal(demand([far], false).bids.map((bid) => bid.node), ['far'])
})

test('everywhere: prefixes do not matter', () => {
  assert.equal(demand([far, near], true).bids.map((bid) => bid.node), ['far', 'near'])
})

const local = service('web', { trafficPolicy: 'Local' })
const pod = (nodeName: string, isReady: boolean): Endpoint =>
  ({ addresses: [], nodeName, canServe: true, isReady, ports: [] })
const both = [member('a', '192.0.2.0/24'), member('b', '192.0.2.0/24')]

for (const { it, of = local, pods, want } of [
  { it: 'terminates, and still serves: it may, and says so', pods: [pod('a', false), pod('b', true)],
    want: ['a ending', 'b'] },
  { it: 'has a ready one beside it', pods: [pod('a', false), pod('a', true), pod('b', true)],
    want: ['a', 'b'] },
  { it: 'terminates like all others', pods: [pod('a', false), pod('b', false)],
    want: ['a ending', 'b ending'] },
  { it: 'does not matter with policy Cluster', of: service('web'), pods: [pod('a', false), pod('b', true)],
    want: ['a', 'b'] },
]) {
  test(`policy Local: a node whose endpoint ${it}`, () => {
    const { bids } = demand(both, false, of, pods)
    assert.equal(bids.map(({ node, isEnding }) => isEnding ? `${node} ending` : node), want)
  })
}

test('an endpoint that begins to terminate is another demand, although the same nodes serve', () => {
  const plan = startDemands({
    config: { pools: [], advertisements: [], bgpOnlyPools: new Set() },
    advertisementsByPool: new Map([['lan', [{
      name: 'ad', pools: new Set(['lan']), nodeSelectors: [], interfaces: [], serviceSelectors: [],
      preferred: [],
    }]]]),
    nodes: new Map(), members: new Map(both.map((one) => [one.name, one])), names: ['a', 'b'],
    endpoints: new Map([['default/web', [pod('a', true), pod('b', true)]]]),
    ignoreExcludeLabel: false, everywhere: false,
  })
  const holding = { service: local, address, text: '192.0.2.7', pool: 'lan' }
  assert.equal(planDemand(plan, holding).bids.map(({ isEnding }) => isEnding), [false, false])
  const later = continueDemands(plan, new Map([['default/web', [pod('a', false), pod('b', true)]]]))
  assert.equal(planDemand(later, holding).bids.map(({ isEnding }) => isEnding), [true, false])
})

test.run()
