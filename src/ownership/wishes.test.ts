/** From holdings and advertisements to wishes: units, nominees, interfaces, hints. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address, service } from '../config/builders.ts'
import { type DemandInput, type Holding, startDemands } from '../l2/demand.ts'
import type { LinkState, Member } from '../l2/model.ts'
import { prefixOf } from '../net/range.ts'
import { wishesOf } from './wishes.ts'

const holding = (name: string, text: string): Holding =>
  ({ service: service(name), address: address(text), text, pool: 'lan' })

const link = (index: number, text: string): LinkState => ({
  index, name: `eth${index - 2}`, mac: '02:00:5e:00:53:01', mtuBytes: 1500, isUp: true,
  hasCarrier: true, master: undefined, isLoopback: false, isNoArp: false, isBroadcast: true,
  addresses: [{ address: address(text), prefix: prefixOf(address(text), 24), isTentative: false }],
})

const near: Member = { name: 'near', links: [link(2, '192.0.2.1'), link(3, '198.51.100.1')] }
const far: Member = { name: 'far', links: [link(2, '203.0.113.1')] }

const demandOf = (members: readonly Member[]): DemandInput => ({
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
  everywhere: false,
})

test('a nominee is ending where any Service of the unit has endpoints there that only terminate', () => {
  const pod = (nodeName: string, isReady: boolean) =>
    ({ addresses: [], nodeName, canServe: true, isReady, ports: [] })
  const of = (name: string): Holding =>
    ({ ...holding(name, '192.0.2.7'), service: service(name, { trafficPolicy: 'Local' }) })
  const demand = startDemands({
    ...demandOf([near, { ...near, name: 'next' }]),
    endpoints: new Map([
      ['default/web', [pod('near', true), pod('next', true)]],
      ['default/api', [pod('near', false), pod('next', true)]],
    ]),
  })
  const holdings = [of('web'), of('api')]
  const [wish] = wishesOf({ demand, holdings, hints: new Map(), isMixed: false }).list
  const found = wish?.nominees.map(({ node, isEnding }) => [node, isEnding])
  assert.equal(found, [['near', true], ['next', false]])
})

const run = (isMixed: boolean, holdings: readonly Holding[], hints: [string, string][] = []) =>
  wishesOf({ demand: startDemands(demandOf([near, far])), holdings, hints: new Map(hints), isMixed }).list

test('addresses that a Service connects are one unit, named by the first', () => {
  const wishes = run(false, [
    holding('web', '192.0.2.7'), holding('web', '2001:db8::7'), holding('other', '192.0.2.8'),
  ])
  assert.equal(wishes.map(({ key, addresses }) => [key, addresses.map(({ text }) => text)]), [
    ['192.0.2.7', ['192.0.2.7', '2001:db8::7']], ['192.0.2.8', ['192.0.2.8']],
  ])
})

test('nominees are those with a connected prefix, on those interfaces', () => {
  const [wish] = run(false, [holding('web', '192.0.2.7')])
  assert.equal(wish?.nominees.map(({ node, interfaces }) => [node, [...interfaces]]), [
    ['near', [['192.0.2.7', ['eth0']]]],
  ])
  assert.is(wish?.wideNominees, undefined)
})

test('with a member that has no beats, the nominees of MetalLB are known too', () => {
  const [wish] = run(true, [holding('web', '192.0.2.7')])
  assert.equal(wish?.wideNominees?.map(({ node, interfaces }) => [node, [...interfaces]]), [
    ['far', [['192.0.2.7', ['eth0']]]], ['near', [['192.0.2.7', ['eth0', 'eth1']]]],
  ])
})

test('the first hint of any address of the unit counts', () => {
  const [wish] = run(false, [holding('web', '192.0.2.7'), holding('web', '192.0.2.9')], [
    ['192.0.2.9', 'near'],
  ])
  assert.is(wish?.hint, 'near')
})

test('nobody may announce it: the wish is there, without nominees', () => {
  const [wish] = run(false, [{ ...holding('web', '192.0.2.7'), pool: 'unadvertised' }])
  assert.equal(wish?.nominees, [])
})

test.run()
