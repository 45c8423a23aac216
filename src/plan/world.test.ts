/** One world after another: what has not changed is the same value, and what has is judged anew. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { config, held, pool, service } from '../config/builders.ts'
import type { Endpoint, Intent } from '../config/model.ts'
import type { LinkState } from '../l2/model.ts'
import { planAnnouncements, prepare } from '../l2/plan.ts'
import type { Leg } from '../ownership/model.ts'
import { parseAddress } from '../net/address.ts'
import { prefixOf } from '../net/range.ts'
import { planHeld } from './held.ts'
import { speakersOf, type WorldInput, worldOf } from './world.ts'

const addressesOf = (text: string) => {
  const address = parseAddress(text)
  if (address === undefined) throw new Error(`Bad test address "${text}"`)
  return [{ address, prefix: prefixOf(address, 24), isTentative: false }] as const
}

const [{ address: gossip }] = addressesOf('203.0.113.1')

const link = (text: string): LinkState => ({
  index: 2, name: 'eth0', mac: '02:00:5e:00:53:01', mtuBytes: 1_500, isUp: true, hasCarrier: true,
  master: undefined, isLoopback: false, isNoArp: false, isBroadcast: true, addresses: addressesOf(text),
})

const legs = (text: string): readonly Leg[] =>
  [{ name: 'eth0', ifindex: 2, mac: '02:00:5e:00:53:02', addresses: addressesOf(text) }]

const endpoint = (canServe: boolean): Endpoint =>
  ({ addresses: [], nodeName: 'a', canServe, isReady: canServe, ports: [] })

const ad = {
  name: 'ad', pools: new Set(['lan']), nodeSelectors: [], interfaces: [], serviceSelectors: [],
  preferred: [],
}
const lan = { ...config(pool('lan', '192.0.2.0/24')), advertisements: [ad] }
const one = service('one', { held: held('192.0.2.1') })
const two = service('two', { held: held('192.0.2.2') })

const inputOf = (services: readonly Intent[]): WorldInput => ({
  self: 'a', placement: 'sticky', config: lan, nodes: [], links: [link('192.0.2.251')], deaf: new Set(),
  endpoints: new Map(services.map(({ key }) => [key, [endpoint(true)]])),
  holdings: planHeld(lan, services, '').holdings,
  members: [{ name: 'b', address: gossip, isAlive: true, legs: legs('192.0.2.252') }], expected: [],
  restarted: new Set(), gateways: new Map(), hints: new Map(), isDraining: false,
  announceEverywhere: false, ignoreExcludeLabel: false,
})

const first = inputOf([one, two])
const { endpoints } = first

interface Case {
  it: string
  given: WorldInput
  /** Keys of wishes that are the same values as before. */
  same: readonly string[]
}

const cases: readonly Case[] = [
  { it: 'nothing has changed', given: { ...first }, same: ['192.0.2.1', '192.0.2.2'] },
  { it: 'the endpoints of one Service', same: ['192.0.2.1'],
    given: { ...first, endpoints: new Map(endpoints).set('default/two', [endpoint(false)]) } },
  { it: 'one Service has another address', same: ['192.0.2.1'],
    given: { ...first, holdings: planHeld(lan, [one, { ...two, held: held('192.0.2.3') }], '').holdings } },
  { it: 'a Service comes to an address', same: ['192.0.2.1'],
    given: {
      ...first, endpoints: new Map(endpoints).set('default/three', [endpoint(true)]),
      holdings: planHeld(lan, [
        one, { ...two, sharingKey: 'k', hasSharingKey: true },
        service('three', { held: held('192.0.2.2'), sharingKey: 'k', hasSharingKey: true, ports: [] }),
      ], '').holdings,
    } },
  { it: 'the owner is remembered for one', given: { ...first, hints: new Map([['192.0.2.2', 'b']]) },
    same: ['192.0.2.1'] },
  { it: 'an interface has another address', given: { ...first, links: [link('198.51.100.1')] }, same: [] },
  { it: 'an interface is deaf', given: { ...first, deaf: new Set([2]) }, same: [] },
  { it: 'a member has other interfaces', same: [],
    given: {
      ...first, members: [{ name: 'b', address: gossip, isAlive: true, legs: legs('198.51.100.2') }],
    } },
  { it: 'a member is dead', same: [],
    given: { ...first, members: first.members.map((member) => ({ ...member, isAlive: false })) } },
  { it: 'a member without beats comes', same: [],
    given: {
      ...first,
      members: [...first.members, { name: 'c', address: gossip, isAlive: true, legs: undefined }],
    } },
  { it: 'a node is excluded', same: [],
    given: { ...first, nodes: [{ name: 'b', labels: {}, networkUnavailable: false, excluded: true }] } },
  { it: 'no advertisement any more', given: { ...first, config: { ...lan, advertisements: [] } }, same: [] },
  { it: 'this node drains', given: { ...first, isDraining: true }, same: ['192.0.2.1', '192.0.2.2'] },
  { it: 'this node goes', given: { ...first, isLeaving: true }, same: ['192.0.2.1', '192.0.2.2'] },
  { it: 'another router', given: { ...first, gateways: new Map([['eth0', [gossip]]]) },
    same: ['192.0.2.1', '192.0.2.2'] },
  { it: 'one more node ought to be there', given: { ...first, expected: ['c'] },
    same: ['192.0.2.1', '192.0.2.2'] },
  { it: 'a member was restarted', given: { ...first, restarted: new Set(['b']) },
    same: ['192.0.2.1', '192.0.2.2'] },
  { it: 'a member leaves', same: ['192.0.2.1', '192.0.2.2'],
    given: { ...first, members: first.members.map((member) => ({ ...member, isDraining: true })) } },
  { it: 'a Service is gone', same: ['192.0.2.1'],
    given: { ...first, holdings: planHeld(lan, [one], '').holdings } },
  { it: 'announced everywhere', given: { ...first, announceEverywhere: true }, same: [] },
]

/** The same input as values that nobody has seen. */
const unseen = (input: WorldInput): WorldInput =>
  ({ ...input, holdings: input.holdings.map((holding) => ({ ...holding })) })

const reasonsOf = (input: WorldInput, before?: ReturnType<typeof prepare>) => {
  const source = {
    ...input, members: speakersOf(input), owners: new Map([['192.0.2.1', 'a'], ['192.0.2.2', 'b']]),
  }
  const plan = prepare(source, before)
  return { plan, rows: planAnnouncements(source, plan) }
}

for (const { it, given, same } of cases) {
  test(`worldOf: ${it}`, () => {
    const before = worldOf(first)
    const after = worldOf(given, before)
    assert.equal(after.world.wishes, worldOf(unseen(given)).world.wishes)
    const kept = after.world.wishes.filter((wish) => before.world.wishes.includes(wish))
    assert.equal(kept.map(({ key }) => key), same)
    assert.is(after.world === before.world, it === 'nothing has changed')
  })
  test(`planAnnouncements, once more: ${it}`, () => {
    const before = reasonsOf(first)
    const after = reasonsOf(given, before.plan)
    assert.equal(after.rows, reasonsOf(unseen(given)).rows)
    const kept = after.rows.placed.filter((row) => before.rows.placed.includes(row))
    for (const key of same) assert.ok(kept.some(({ text }) => text === key), key)
  })
}

test('worldOf: another placement is another world', () => {
  const before = worldOf(first)
  const { world } = worldOf({ ...first, placement: 'hash' }, before)
  assert.is(world.placement, 'hash')
  assert.is(worldOf({ ...first }, before).world, before.world)
})

test.run()
