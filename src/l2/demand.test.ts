/** Nodes that could announce an address but yield to others with a connected prefix. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address as parse, service } from '../config/builders.ts'
import { parsePrefix } from '../net/range.ts'
import { planDemand, startDemands } from './demand.ts'
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

const demand = (members: readonly Member[], everywhere: boolean) => planDemand(startDemands({
  config: { pools: [], advertisements: [], bgpOnlyPools: new Set() },
  advertisementsByPool: new Map([['lan', [{
    name: 'ad', pools: new Set(['lan']), nodeSelectors: [], interfaces: [], serviceSelectors: [],
    preferred: [],
  }]]]),
  nodes: new Map(),
  members: new Map(members.map((one) => [one.name, one])),
  names: members.map((one) => one.name),
  endpoints: undefined,
  ignoreExcludeLabel: false,
  everywhere,
}), { service: service('web'), address, text: '192.0.2.7', pool: 'lan' })

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

test.run()
