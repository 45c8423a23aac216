/** Interfaces as text and back: what others need to judge a node. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { address } from '../config/builders.ts'
import { eligibleOn } from './eligible.ts'
import { decodeMember, encodeLinks, toldMacs } from './facts.ts'
import type { LinkState } from './model.ts'

const link = (index: number, name: string, more: Partial<LinkState> = {}): LinkState => ({
  index, name, mac: '02:00:5e:00:53:01', mtuBytes: 1500, isUp: true, hasCarrier: true,
  master: undefined, isLoopback: false, isNoArp: false, isBroadcast: true,
  addresses: [{
    address: address('192.0.2.7'), isTentative: false,
    prefix: { family: 'ipv4', bits: address('192.0.2.0').bits, length: 24 },
  }],
  ...more,
})
const told = (links: readonly LinkState[], deaf: readonly number[] = [], named: readonly string[] = []) =>
  decodeMember('a', encodeLinks(links, new Set(deaf), new Set(named)))

const judge = (links: readonly LinkState[], wanted = '192.0.2.9', deaf: readonly number[] = []): unknown => {
  const found = eligibleOn(told(links, deaf), address(wanted), 'all')
  return typeof found === 'string' ? found : `${String(found.interfaces)} ${found.prefixed}`
}

const cases: { it: string; got: () => unknown; want: string }[] = [
  { it: 'up, with the prefix', got: () => judge([link(2, 'eth0')]), want: 'eth0 true' },
  { it: 'up, without the prefix', got: () => judge([link(2, 'eth0')], '198.51.100.1'), want: 'eth0 false' },
  { it: 'down', got: () => judge([link(2, 'eth0', { isUp: false })]), want: 'interfaceDown' },
  { it: 'a member of a bridge', got: () => judge([link(2, 'eth0', { master: 5 })]), want: 'interfaceDown' },
  { it: 'no carrier', got: () => judge([link(2, 'eth0', { hasCarrier: false })]), want: 'noCarrier' },
  { it: 'no socket', got: () => judge([link(2, 'eth0')], '192.0.2.9', [2]), want: 'socketFailed' },
  { it: 'containers\' interfaces are not told of', got: () => judge([link(2, 'veth12')]),
    want: 'interfaceMissing' },
]
for (const { it, got, want } of cases) test(`as told: ${it}`, () => assert.is(got(), want))

test('a container\'s interface that an advertisement names is told of', () => {
  assert.equal(told([link(2, 'veth12')], [], ['veth12']).links?.map(({ name }) => name), ['veth12'])
})

test('text that is not ours says nothing: the node is taken as able', () => {
  const badMac = '[{"name":"eth0","index":2,"mac":1,"addresses":[]}]'
  for (const text of [undefined, '', '{}', '[1]', '[{"name":1}]', badMac]) {
    assert.is(decodeMember('a', text).links, undefined)
  }
})

test('MACs are told, but by an older version; a tunnel needs none', () => {
  const tunnel = link(3, 'wg0', { mac: '00:00:00:00:00:00', isNoArp: true })
  assert.equal(toldMacs(told([link(2, 'eth0'), tunnel])), ['02:00:5e:00:53:01', '00:00:00:00:00:00'])
  assert.equal(toldMacs(told([])), [])
  const older = '[{"name":"eth0","index":2,"up":true,"carrier":true,"addresses":["192.0.2.7/24"]}]'
  assert.is(decodeMember('a', older).links?.length, 1)
  for (const text of [older, undefined]) assert.is(toldMacs(decodeMember('a', text)), undefined)
})

test('the same state is the same text, whatever the order of addresses', () => {
  const [one] = link(2, 'eth0').addresses
  assert.ok(one)
  const two = { ...one, address: address('192.0.2.8') }
  const texts = [[one, two], [two, one]].map((addresses) =>
    encodeLinks([link(2, 'eth0', { addresses })], new Set(), new Set())
  )
  assert.is(texts[0], texts[1])
})

test.run()
